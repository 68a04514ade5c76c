import fs from 'node:fs';
import path from 'node:path';
import ts from 'typescript';
import { readSources } from './support/source-tree.js';

/** An entry of "imports" in package.json: the source for tools, the compiled file for Node. */
interface ImportName {
  readonly source: string;
  readonly default: string;
}

const root = path.resolve();
const { imports: names } = JSON.parse(fs.readFileSync(path.join(root, 'package.json'), 'utf8')) as {
  imports: Record<string, ImportName>;
};
const used = [
  ...new Set(
    readSources(root, ['apps', 'libs', 'test']).flatMap(({ imports }) =>
      imports.flatMap(({ specifier }) => (specifier.startsWith('#') ? [specifier] : [])),
    ),
  ),
].sort();

/** The file system of a clone that was never built. */
const unbuilt = {
  ...ts.sys,
  fileExists: (file: string) => !isBuilt(file) && ts.sys.fileExists(file),
  readFile: (file: string) => (isBuilt(file) ? undefined : ts.sys.readFile(file)),
  directoryExists: (directory: string) => !isBuilt(directory) && ts.sys.directoryExists(directory),
};
const { options } = configuration('tsconfig.json');

describe('the #names of package.json', () => {
  it.each(Object.entries(names))('%s names the source first, and the compiled file as the default', (_, name) => {
    // Node and TypeScript try the conditions in their order.
    expect(Object.keys(name)).toEqual(['source', 'default']);
  });

  it.each(Object.entries(names))('%s leads to libs/, as in jest.config.cjs', (name, { source }) => {
    expect(source).toBe(`./libs/${name.slice(1)}/index.ts`);
  });

  it('lead every importing file to a source, without a build', () => {
    expect(used.map(sourceOf)).toEqual(used.map(indexOf));
    expect(used.filter((name) => !fs.existsSync(path.join(root, indexOf(name))))).toEqual([]);
  });

  it('lead Node to the compiled file of that source', () => {
    const build = configuration('tsconfig.build.json');
    const outputOf = (source: string) => ts.getOutputFileNames(build, path.join(root, source), false);
    expect(used.map(compiledOf)).toEqual(
      used.map((name) => {
        const script = outputOf(indexOf(name)).find((file) => file.endsWith('.js'))!;
        return path.relative(root, script);
      }),
    );
  });

  it('are each imported by at least one file', () => {
    const declared = Object.keys(names).filter((name) => !used.some((one) => matches(name, one)));
    expect(declared).toEqual([]);
  });

  it('open their source in an editor: “go to definition” of #kernel, without a build', () => {
    const file = path.join(root, 'libs/ufs/open.ts');
    const service = ts.createLanguageService({
      ...unbuilt,
      useCaseSensitiveFileNames: () => ts.sys.useCaseSensitiveFileNames,
      getScriptFileNames: () => [file],
      getScriptVersion: () => '0',
      getScriptSnapshot: (name) => snapshotOf(name),
      // Leaves out the types of the language and of Node, which take seconds to read.
      getCompilationSettings: () => ({ ...options, noLib: true, types: [] }),
      getDefaultLibFileName: (given) => ts.getDefaultLibFilePath(given),
    });
    const position = fs.readFileSync(file, 'utf8').indexOf(`'#kernel'`) + 1;
    const definitions = service.getDefinitionAtPosition(file, position) ?? [];
    expect(definitions.map(({ fileName }) => path.relative(root, fileName))).toEqual(['libs/kernel/index.ts']);
  });
});

function isBuilt(file: string): boolean {
  return path.relative(root, file).split(path.sep)[0] === 'dist';
}

function snapshotOf(file: string): ts.IScriptSnapshot | undefined {
  const text = unbuilt.readFile(file);
  return text === undefined ? undefined : ts.ScriptSnapshot.fromString(text);
}

function configuration(file: string): ts.ParsedCommandLine {
  const host = { ...ts.sys, onUnRecoverableConfigFileDiagnostic: () => {} };
  return ts.getParsedCommandLineOfConfigFile(path.join(root, file), {}, host)!;
}

const indexOf = (name: string) => `libs/${name.slice(1)}/index.ts`;

/** The file that TypeScript finds, relative to the project's root. */
function sourceOf(name: string): string | undefined {
  const from = path.join(root, 'libs/from.ts');
  const { resolvedModule } = ts.resolveModuleName(
    name,
    from,
    options,
    unbuilt,
    undefined,
    undefined,
    ts.ModuleKind.ESNext,
  );
  return resolvedModule && path.relative(root, resolvedModule.resolvedFileName);
}

/** The file that Node finds. Node knows none of our conditions. */
function compiledOf(name: string): string | undefined {
  const declared =
    Object.keys(names).find((one) => one === name) ?? Object.keys(names).find((one) => matches(one, name));
  if (declared === undefined) return undefined;
  const [before, after = ''] = declared.split('*');
  const rest = name.slice(before.length, name.length - after.length);
  return path.normalize(names[declared].default.replaceAll('*', rest));
}

/** `*` matches anything, as in Node. */
function matches(declared: string, name: string): boolean {
  const [before, after] = declared.split('*');
  return after === undefined ? declared === name : name.startsWith(before) && name.endsWith(after);
}
