import fs from 'node:fs';
import path from 'node:path';
import { readSources } from './support/source-tree.js';

const root = path.resolve();
const pages = [
  ...fs.readdirSync(root).filter((name) => name.endsWith('.md')),
  ...['apps', 'docs', 'libs', 'test'].flatMap((directory) =>
    fs
      .readdirSync(path.join(root, directory), { recursive: true, encoding: 'utf8' })
      .filter((name) => name.endsWith('.md') && !name.includes('.artefacts'))
      .map((name) => path.posix.join(directory, name)),
  ),
];
const textOf = (page: string): string => fs.readFileSync(path.join(root, page), 'utf8');

describe('links in pages', () => {
  it.each(pages)('%s: lead to existing files and headings', (page) => {
    expect(brokenLinks(page, textOf(page))).toEqual([]);
  });
});

describe('commands in pages', () => {
  const { scripts } = JSON.parse(textOf('package.json')) as { scripts: Record<string, string> };
  it.each(pages)('%s: are scripts in package.json', (page) => {
    const named = [...textOf(page).matchAll(/npm run ([\w:-]+)/g)].map(([, name]) => name);
    expect(named.filter((name) => !(name in scripts))).toEqual([]);
  });
});

describe('paths of files in pages and comments', () => {
  it.each(pages)('%s: lead to existing files', (page) => {
    expect(missingPaths(textOf(page))).toEqual([]);
  });

  it('lead to existing files in comments', () => {
    const wrong = readSources(root, ['apps', 'libs', 'test']).flatMap(({ path: file }) =>
      // Examples that a check must reject name missing files on purpose.
      file.startsWith('test/architecture/') ? [] : missingPaths(textOf(file)).map((missing) => `${file}: ${missing}`),
    );
    expect(wrong).toEqual([]);
  });
});

it('docs/tour.md names only identifiers that exist in their files', () => {
  expect(missingNames(textOf('docs/tour.md'))).toEqual([]);
});

describe('the checks', () => {
  it('find a name that its file does not contain', () => {
    expect(missingNames('**`libs/kernel/event.ts`** `Commit`, `Nowhere`: a text')).toEqual([
      'libs/kernel/event.ts: Nowhere',
    ]);
  });

  it('find a link to a missing file and one to a missing heading', () => {
    const text = '[a](nowhere.md) [b](README.md#no-such-heading) [c](docs/api.md) [d](https://example.org/x)';
    expect(brokenLinks('README.md', text)).toEqual(['nowhere.md', 'README.md#no-such-heading']);
  });

  it('find a path to a missing file', () => {
    expect(missingPaths('see `libs/kernel/event.ts` and libs/kernel/nowhere.ts')).toEqual(['libs/kernel/nowhere.ts']);
  });
});

function brokenLinks(page: string, text: string): string[] {
  const prose = text.replace(/^```.*?^```/gms, '').replace(/`[^`\n]*`/g, '');
  const targets = [...prose.matchAll(/\]\(([^)\s]+)\)/g)].map(([, target]) => target);
  return targets.filter((target) => !/^[a-z]+:/.test(target)).filter((target) => !leadsSomewhere(page, target));
}

function leadsSomewhere(page: string, target: string): boolean {
  const [file, heading] = target.split('#');
  const found = file === '' ? page : path.posix.join(path.posix.dirname(page), file);
  if (!fs.existsSync(path.join(root, found))) return false;
  return heading === undefined || !found.endsWith('.md') || headingsOf(textOf(found)).includes(heading);
}

/** The anchor that Markdown renderers make of a heading. */
function headingsOf(text: string): string[] {
  const headings = [...text.matchAll(/^#+ (.*)$/gm)].map(([, heading]) => heading);
  return headings.map((heading) =>
    heading
      .toLowerCase()
      .replace(/[^\p{L}\p{N} _-]/gu, '')
      .replaceAll(' ', '-'),
  );
}

/** Of `**`file`** `name`, `name`: …`: the names that the file does not contain. */
function missingNames(text: string): string[] {
  const steps = [...text.matchAll(/\*\*`([^`]+)`\*\*((?:,? `[^`]+`)*)/g)];
  return steps.flatMap(([, file, names]) => {
    const source = textOf(file);
    const named = [...names.matchAll(/`([^`]+)`/g)].map(([, name]) => name);
    return named.filter((name) => !new RegExp(`\\b${name}\\b`).test(source)).map((name) => `${file}: ${name}`);
  });
}

/** Paths of sources and scripts, relative to the top of the repository, that lead to no file. */
function missingPaths(text: string): string[] {
  const paths = [...text.matchAll(/(?<![\w/.-])(?:apps|libs|scripts|test)\/[\w./-]+\.(?:ts|mjs)\b/g)].map(
    ([one]) => one,
  );
  return [...new Set(paths)].filter((one) => !fs.existsSync(path.join(root, one)));
}
