import fs from 'node:fs';
import { JobKinds, type CoordinatorJobKind, type JobPass } from '#contexts/jobs/kinds';
import { jobKinds } from './index.js';

const kindWith = (...names: string[]): CoordinatorJobKind => ({
  ...jobKinds.of('free'),
  passes: names.map((name): JobPass => ({ name, abandonedCounts: () => ({}) })),
});

/** What is beside the folders of the kinds. */
const others = ['coordinator', 'sources', 'worker'];

it('the registry has a kind for each folder, and finds it by its name', () => {
  const folders = fs.readdirSync('libs/job-kinds', { withFileTypes: true }).filter((entry) => entry.isDirectory());
  const kinds = folders.map(({ name }) => name).filter((name) => !others.includes(name));
  expect(kinds).toEqual(expect.arrayContaining(['free', 'load', 'rebalance']));
  expect(jobKinds.names).toEqual(kinds.sort());
  for (const name of jobKinds.names) expect(jobKinds.of(name).name).toBe(name);
  expect(() => jobKinds.of('move')).toThrow('this build has no job kind move');
});

it.each([
  ['another first pass', ['verify']],
  ['none at all', []],
  ['two that begin alike', ['main', 'verify', 'view']],
  ['one that begins as ids of the main pass do', ['main', 'list']],
])('refuses passes whose batches cannot be told apart: %s', (_, names) => {
  expect(() => new JobKinds([kindWith(...names)])).toThrow('the passes of job kind free must be');
  expect(() => new JobKinds([kindWith('main', 'verify', 'prune')])).not.toThrow();
});
