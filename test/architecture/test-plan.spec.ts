import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { projectRoot } from '#testing';

interface Plan {
  readonly timed: readonly string[];
  readonly seconds: Readonly<Record<string, number>>;
}

describe('scripts/test-plan.json', () => {
  const plan = JSON.parse(readFileSync(join(projectRoot(), 'scripts/test-plan.json'), 'utf8')) as Plan;

  it.each([
    ['timed', plan.timed],
    ['seconds', Object.keys(plan.seconds)],
  ])('%s: each file is there, and named once and in order', (_, files) => {
    expect(files.filter((file) => !existsSync(join(projectRoot(), file)))).toEqual([]);
    expect(files).toEqual([...new Set(files)].sort());
  });

  it('timed: each is a test of the project `processes`', () => {
    expect(plan.timed.filter((file) => !/^test\/(?!architecture\/|histories\/)/.test(file))).toEqual([]);
  });
});
