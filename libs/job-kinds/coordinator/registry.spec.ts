import { JobKinds, type CoordinatorJobKind, type JobPass } from '#contexts/jobs/kinds';
import { jobKinds } from './index.js';

const kindWith = (...names: string[]): CoordinatorJobKind => ({
  ...jobKinds.of('free'),
  passes: names.map((name): JobPass => ({ name, abandonedCounts: () => ({}) })),
});

it('the registry finds a kind by its name', () => {
  expect(jobKinds.names).toEqual(['free', 'load', 'rebalance']);
  for (const name of jobKinds.names) expect(jobKinds.of(name).name).toBe(name);
  expect(() => jobKinds.of('move')).toThrow('this build has no job kind move');
});

it.each([
  ['another first pass', ['verify']],
  ['none at all', []],
  ['two that begin alike', ['main', 'verify', 'view']],
  ['one that begins as ids of the main pass do', ['main', 'list']],
])('the registry refuses passes whose batches cannot be distinguished: %s', (_, names) => {
  expect(() => new JobKinds([kindWith(...names)])).toThrow('the passes of job kind free must be');
  expect(() => new JobKinds([kindWith('main', 'verify', 'prune')])).not.toThrow();
});
