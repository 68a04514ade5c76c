import fs from 'node:fs';
import path from 'node:path';

const cases = Array.from({ length: 25 }, (_, i) => i + 1);
const page = 'docs/faults.md';
const command = 'node scripts/generate-faults.mjs';

interface NamedTest {
  readonly file: string;
  readonly cases: readonly number[];
}

const root = path.resolve();
const tests = ['apps', 'libs', 'test'].flatMap(testsBelow);

describe('the faults and abuse that Larder survives', () => {
  it.each(cases)('case %i has a test that carries its number', (number) => {
    expect(filesOf(number)).not.toEqual([]);
  });

  it('no test carries a number without a case', () => {
    expect(tests.flatMap((test) => test.cases.filter((one) => !cases.includes(one)).map(() => test.file))).toEqual([]);
  });

  it.each(cases)(`${page} names every file that holds case %i, and no other (run \`${command}\`)`, (number) => {
    expect(documented(number)).toEqual(filesOf(number));
  });
});

it('the search finds a number wherever a test carries it', () => {
  expect(casesIn(`it('fault 3: a', f)`)).toEqual([3]);
  expect(casesIn(`it('fault 17, fault 20: a', f)`)).toEqual([17, 20]);
  expect(casesIn(`'faults 1, 2, 3: a'`)).toEqual([1, 2, 3]);
  expect(casesIn(`// default 3: a`)).toEqual([]);
});

function filesOf(number: number): string[] {
  return [...new Set(tests.filter((test) => test.cases.includes(number)).map(({ file }) => file))].sort();
}

/** The cells of the row that begins with the number. */
function documented(number: number): string[] {
  const rows = fs.readFileSync(path.join(root, page), 'utf8').split('\n');
  const row = rows.find((line) => line.startsWith(`| ${number} |`)) ?? '';
  return [...row.matchAll(/\]\(\.\.\/([^)]+)\)/g)].map(([, file]) => file);
}

function testsBelow(directory: string): NamedTest[] {
  return fs
    .readdirSync(path.join(root, directory), { recursive: true, encoding: 'utf8' })
    .map((name) => path.posix.join(directory, ...name.split(path.sep)))
    .filter(
      (file) => /\.spec\.ts$|\.contract\.ts$|^test\/contract\/suites\//.test(file) && !file.endsWith('/faults.spec.ts'),
    )
    .map((file) => ({ file, cases: casesIn(fs.readFileSync(path.join(root, file), 'utf8')) }));
}

/** The fault numbers in the test names of a source text: `fault 3: …`, `faults 1, 2, 3: …`. */
function casesIn(text: string): number[] {
  const names = text.matchAll(/['"`(](faults? \d+(?:, (?:fault )?\d+)*):/g);
  const numbers = [...names].flatMap(([, name]) => [...name.matchAll(/\d+/g)].map(([digits]) => Number(digits)));
  return [...new Set(numbers)].sort((a, b) => a - b);
}
