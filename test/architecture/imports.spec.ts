import path from 'node:path';
import {
  importRules,
  type ImportRule,
  isTestFile,
  kindOf,
  loadRules,
  type LoadRule,
  longFiles,
  maxLines,
} from './rules.js';
import {
  cyclesBetweenFolders,
  type Import,
  loadedWith,
  parseSource,
  partOf,
  readSources,
  type SourceFile,
} from './support/source-tree.js';

const sources = readSources(path.resolve(), ['apps', 'libs', 'test']);
const production = sources.filter(({ path: file }) => !isTestFile(file));
const paths = new Set(sources.map(({ path: file }) => file));

describe('the import rule', () => {
  it.each(importRules.map((rule) => [rule.what, rule] as const))('holds for %s', (_, rule) => {
    const governed = production.filter(({ path: file }) => ruleFor(file) === rule);
    expect(governed.flatMap((source) => violations(source, rule))).toEqual([]);
  });

  it('covers every file', () => {
    expect(production.filter(({ path: file }) => !ruleFor(file)).map(({ path: file }) => file)).toEqual([]);
  });

  it('forbids imports past the index of another library, context or application', () => {
    const deep = sources.flatMap((source) =>
      source.imports.filter((one) => isDeep(source, one)).map(({ specifier }) => `${source.path}: ${specifier}`),
    );
    expect(deep).toEqual([]);
  });

  it('allows no cycle between folders', () => {
    expect(cyclesBetweenFolders(sources)).toEqual([]);
  });
});

describe('job kinds', () => {
  it('do not import each other', () => {
    expect(production.flatMap(otherKinds)).toEqual([]);
  });

  it.each(loadRules.map((rule) => [rule.entry, rule] as const))(
    'are loaded only as the half of the process: %s',
    (_, rule) => {
      expect(paths.has(rule.entry)).toBe(true);
      expect(wronglyLoaded(production, rule)).toEqual([]);
    },
  );
});

describe('the size of files', () => {
  const long = sources.filter(({ path: file, lines }) => lines > maxLines(file));

  it('stays within the limits, except for files with a recorded reason', () => {
    const unexplained = long.filter(({ path: file }) => !(file in longFiles));
    expect(unexplained.map(({ path: file, lines }) => `${file} (${lines} lines)`)).toEqual([]);
  });

  it('lists no exception for a file within the limit', () => {
    const isLong = (file: string) => long.some((source) => source.path === file);
    expect(Object.keys(longFiles).filter((file) => !isLong(file))).toEqual([]);
  });
});

/** The checks themselves must be able to fail. */
describe('the checks', () => {
  const rule = importRules.find(({ what }) => what.startsWith('pure files'))!;
  const view = 'libs/contexts/jobs/jobs.view.ts';

  it.each([
    [`import { x } from '#runtime';`, '#runtime'],
    [`export * from './http/index.js';`, './http/index.js'],
    [`const fs = await import('node:fs');`, 'node:fs'],
    [`import type { X } from '#ufs';`, '#ufs'],
  ])('refuse in a view: %s', (text, specifier) => {
    expect(violations(parseSource(view, text), rule)).toEqual([`${view}: ${specifier}`]);
  });

  it('allow pure imports in a view', () => {
    const text = `import { z } from 'zod'; import { a } from '#kernel'; import { b } from '#contexts/namespace'; import './job.js';`;
    expect(violations(parseSource(view, text), rule)).toEqual([]);
  });

  it('allow a view to import pure files from a folder, and no other files there', () => {
    const aggregate = parseSource('libs/contexts/namespace/namespace.ts', `import './policies/index.js';`);
    expect(violations(aggregate, rule)).toEqual([]);
    const policy = parseSource('libs/contexts/namespace/policies/ttl.ts', `import '../http/index.js';`);
    expect(violations(policy, ruleFor(policy.path)!)).toEqual([`${policy.path}: ../http/index.js`]);
  });

  it('find an import past an index', () => {
    const source = parseSource(
      view,
      `import '../namespace/paths.js'; import '../../kernel/event.js'; import './job.js';`,
    );
    expect(source.imports.map((one) => isDeep(source, one))).toEqual([true, true, false]);
  });

  it.each([
    [loadRules[0], 'apps/coordinator/src/app.module.ts', '#job-kinds/worker', 'libs/job-kinds/worker/index.ts'],
    [loadRules[0], 'libs/job-kinds/free/free.kind.ts', './worker/targets.js', 'libs/job-kinds/free/worker/targets.ts'],
    [loadRules[0], 'libs/job-kinds/sources/index.ts', '#transfer', 'libs/transfer/index.ts'],
    [loadRules[1], 'apps/worker/src/tokens.ts', '#job-kinds/coordinator', 'libs/job-kinds/coordinator/index.ts'],
    [loadRules[1], 'libs/job-kinds/load/worker/options.ts', '../load.kind.js', 'libs/job-kinds/load/load.kind.ts'],
  ])('find the other half of a kind that $entry would load through %s', (rule, file, specifier, loaded) => {
    const planted = parseSource(file, `import '${specifier}';`);
    const original = production.find(({ path: one }) => one === file)!;
    const changed = { ...original, imports: [...original.imports, ...planted.imports] };
    expect(wronglyLoaded([...production.filter((one) => one !== original), changed], rule)).toContain(loaded);
  });

  it('find a job kind that imports another', () => {
    const source = parseSource(
      'libs/job-kinds/free/worker/index.ts',
      `import '../../load/spec.js'; import '../spec.js';`,
    );
    expect(otherKinds(source)).toEqual(['libs/job-kinds/free/worker/index.ts: ../../load/spec.js']);
  });

  it('find a cycle', () => {
    const files = [parseSource('libs/a/index.ts', `import '#b';`), parseSource('libs/b/index.ts', `import '#a';`)];
    const user = parseSource('libs/c/index.ts', `import '#a';`);
    expect(cyclesBetweenFolders([...files, user])).toEqual([['libs/a/index.ts', 'libs/b/index.ts']]);
  });
});

function otherKinds({ path: file, imports }: SourceFile): string[] {
  const own = kindOf(file);
  const foreign = imports.filter(({ target }) => own && target && ![undefined, own].includes(kindOf(target)));
  return foreign.map(({ specifier }) => `${file}: ${specifier}`);
}

function wronglyLoaded(files: readonly SourceFile[], { entry, never }: LoadRule): string[] {
  return [...loadedWith(entry, files)].filter((file) => never.test(file));
}

function ruleFor(file: string): ImportRule | undefined {
  return importRules.find(({ files }) => files.test(file));
}

function violations(source: SourceFile, rule: ImportRule): string[] {
  return source.imports.filter((one) => !isAllowed(source, one, rule)).map((one) => `${source.path}: ${one.specifier}`);
}

function isAllowed(source: SourceFile, { specifier, target }: Import, rule: ImportRule): boolean {
  if (specifier.startsWith('#')) return rule.may.some((pattern) => matches(pattern, specifier));
  if (!target) return !rule.packages || rule.packages.includes(specifier);
  return !rule.pure || path.posix.dirname(target) === path.posix.dirname(source.path) || ruleFor(target)?.pure === true;
}

/** `*` matches one name. */
function matches(pattern: string, specifier: string): boolean {
  return new RegExp(`^${pattern.replaceAll('*', '[^/]+')}$`).test(specifier);
}

/** `#names` must lead to an index; other paths must stay within their own part. */
function isDeep(source: SourceFile, { specifier, target }: Import): boolean {
  if (!target) return false;
  if (specifier.startsWith('#')) return !paths.has(target);
  return partOf(target) !== partOf(source.path);
}
