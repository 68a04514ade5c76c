import fs from 'node:fs';
import path from 'node:path';
import { isTestFile } from './rules.js';
import { readSources } from './support/source-tree.js';

const root = path.resolve();
const production = readSources(root, ['apps', 'libs']).filter(
  ({ path: file }) => !isTestFile(file) && !file.startsWith('libs/testing/'),
);
const textOf = (file: string): string => fs.readFileSync(path.join(root, file), 'utf8');
const foldersIn = (directory: string): string[] =>
  fs
    .readdirSync(path.join(root, directory), { withFileTypes: true })
    .flatMap((one) => (one.isDirectory() ? [one.name] : []));

/** Files outside `own` that import a file inside. */
const importersOf = (own: string): string[] =>
  production
    .filter(({ path: file }) => !file.startsWith(own))
    .filter(({ imports }) => imports.some(({ target }) => target?.startsWith(own)))
    .map(({ path: file }) => file);
/** Files that contain this word in their code. Comments do not count. */
const filesNaming = (word: string): string[] =>
  production.map(({ path: file }) => file).filter((file) => new RegExp(`\\b${word}\\b`).test(codeOf(textOf(file))));

/** The third column of a row in docs/architecture.md. */
function documented(what: string): string[] {
  const row = textOf('docs/architecture.md')
    .split('\n')
    .find((line) => line.startsWith(`| ${what} |`));
  return [...(row?.split('|')[3] ?? '').matchAll(/`([^`]+\.ts)`/g)].map(([, file]) => file);
}

describe('the files of others that a new thing touches', () => {
  const kinds = foldersIn('libs/job-kinds').filter((name) => !['coordinator', 'worker', 'sources'].includes(name));
  it.each(kinds)('job kind %s: the two registries', (kind) => {
    expect(importersOf(`libs/job-kinds/${kind}/`)).toEqual(documented('kind of job'));
  });

  it.each(['priority', 'quota', 'ttl'])('policy %s: the list of policies', (policy) => {
    expect(importersOf(`libs/contexts/namespace/policies/${policy}.ts`)).toEqual(documented('policy'));
  });

  it.each(['file', 's3'])('connector %s: the list of declarations and the list of openings', (scheme) => {
    expect(importersOf(`libs/ufs/${scheme}/`)).toEqual(documented('connector'));
  });

  it.each([
    ['MountOptionsReplaced', 'libs/contexts/namespace/namespace.ts'],
    ['WorkerDecommissioned', 'libs/contexts/membership/membership.ts'],
    ['LogLossAccepted', 'libs/contexts/log/log.ts'],
  ])('event %s: the presenter of the audit', (event, own) => {
    expect(filesNaming(event)).toEqual([...documented('event'), own].sort());
  });

  it.each(['LARDER_UFS_OUTAGE_MS', 'LARDER_READ_WAIT_MS'])('setting %s: the table of settings', (setting) => {
    expect(filesNaming(setting)).toEqual(documented('setting'));
  });

  it.each([
    ['NodesController', 'nodesPaths', 'libs/contexts/membership/http/'],
    ['MountController', 'mountPaths', 'libs/contexts/namespace/http/'],
  ])('resource of %s: the list of its context and the document', (controller, paths, http) => {
    expect(filesNaming(controller).filter((file) => file === `${http}index.ts`)).toHaveLength(1);
    expect(filesNaming(controller).every((file) => file.startsWith(http))).toBe(true);
    expect(filesNaming(paths).filter((file) => !file.endsWith('.paths.ts'))).toEqual(
      documented('resource with routes'),
    );
  });
});

it('the search ignores comments', () => {
  expect(codeOf(`a(); // Foo\n/* Foo\n Foo */ b('http://x');`)).not.toMatch(/Foo/);
  expect(codeOf(`a('Foo'); // x`)).toMatch(/Foo/);
});

function codeOf(text: string): string {
  return text.replace(/\/\*.*?\*\//gs, '').replace(/(?<!:)\/\/.*$/gm, '');
}
