import { execFileSync } from 'node:child_process';
import fs from 'node:fs';
import path from 'node:path';
import { pathToFileURL } from 'node:url';

const root = path.resolve();
const page = fs.readFileSync(path.join(root, 'docs/performance.md'), 'utf8');
const benchmarks = fs
  .readdirSync(path.join(root, 'test/bench'))
  .filter((name) => name.endsWith('.mjs'))
  .map((name) => path.basename(name, '.mjs'));

/** Calls a function of an ES module, which jest itself cannot load. */
function callOf(module: string, name: string, ...given: unknown[]): unknown {
  const url = pathToFileURL(path.join(root, module)).href;
  const script =
    `const module = await import(${JSON.stringify(url)});` +
    `console.log(JSON.stringify(module[${JSON.stringify(name)}](...${JSON.stringify(given)})));`;
  return JSON.parse(execFileSync(process.execPath, ['--input-type=module', '--eval', script], { encoding: 'utf8' }));
}

describe('the tables of docs/performance.md', () => {
  it('are those of benchmarks that are there', () => {
    const places = callOf('scripts/bench-page.mjs', 'placesIn', page) as string[];
    expect(places.filter((name) => !benchmarks.includes(name))).toEqual([]);
  });
});

describe('placing a table', () => {
  const place = (text: string, name: string, table: string) =>
    callOf('scripts/bench-page.mjs', 'placeTable', text, name, table);

  it('leaves everything else of the page as it is', () => {
    const text =
      '# A\n\nBefore.\n\n<!-- bench:a -->\n\nold\n\n<!-- /bench -->\n\nAfter.\n\n<!-- bench:b -->\n<!-- /bench -->\n';
    expect(place(text, 'a', 'new')).toBe(text.replace('old', 'new'));
  });

  it('makes a section for a benchmark that has no place yet', () => {
    expect(place('# A\n', 'listing', 'table')).toBe(
      '# A\n\n## Listing\n\n<!-- bench:listing -->\n\ntable\n\n<!-- /bench -->\n',
    );
  });
});

describe('a table', () => {
  it('is Markdown with its caption, its notes, and what was left out', () => {
    const tables = [{ caption: 'Loads', columns: ['who', 'rate'], rows: [['a|b', 1]], notes: ['A note.'] }];
    expect(callOf('test/bench/support/bench.mjs', 'markdownOf', { tables, notes: ['Left out: x.'] })).toBe(
      'Loads:\n\n| who | rate |\n|---|---|\n| a\\|b | 1 |\n\nA note.\n\nLeft out: x.',
    );
  });
});
