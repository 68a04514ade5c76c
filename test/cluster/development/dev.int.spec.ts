import { appendFileSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { copySources, eventually, type StandaloneCluster, startStandaloneCluster } from '#testing';

const health = 'apps/coordinator/src/health.controller.ts';
/** The type of the answer allows only 'ok'. */
const edited = `status: 'edited' as 'ok'`;
const limits = { timeoutMs: 120_000 };

describe('npm run dev', () => {
  let tree: string;
  let cluster: StandaloneCluster;

  beforeAll(async () => {
    tree = mkdtempSync(join(tmpdir(), 'larder-dev-'));
    copySources(tree, { build: true });
    const script = join(tree, 'scripts/dev.mjs');
    cluster = await startStandaloneCluster({ script, directory: tree, coordinators: 2, startWithinMs: 150_000 });
    await cluster.api.mount('/docs', `file://${tree}/docs`);
  }, 180_000);
  afterAll(async () => {
    await cluster?.dispose();
    rmSync(tree, { recursive: true, force: true });
  });

  const said = () => cluster.process.log();

  /** Makes an edit. @returns the names of the processes that were restarted for it, in order */
  async function restartedBy(edit: () => void, count: number): Promise<string[]> {
    const before = cluster.pids();
    const saidBefore = said().length;
    const restarted = () =>
      [
        ...said()
          .slice(saidBefore)
          .matchAll(/^(\S+) runs the new code/gm),
      ].map(([, name]) => name);
    edit();
    await eventually(`${count} processes run the new code`, () => restarted().length >= count, limits);
    const after = cluster.pids();
    expect(Object.keys(after).filter((name) => after[name] !== before[name])).toEqual([...restarted()].sort());
    return restarted();
  }

  const rewrite = (file: string, from: string, to: string) =>
    writeFileSync(join(tree, file), readFileSync(join(tree, file), 'utf8').replace(from, to));
  const append = (file: string, text: string) => appendFileSync(join(tree, file), text);
  const answers = () =>
    Promise.all(
      cluster.coordinators.map(
        async ({ baseUrl }) => ((await (await fetch(`${baseUrl}/healthz`)).json()) as { status: string }).status,
      ),
    );

  it('restarts only the coordinators, one after the other, after a change of their code', async () => {
    const names = await restartedBy(() => rewrite(health, `status: 'ok'`, edited), 2);
    expect(names).toEqual(['coordinator-1', 'coordinator-2']);
    expect(await answers()).toEqual(['edited', 'edited']);
  }, 180_000);

  it('restarts only the workers after a change of their code', async () => {
    expect(await restartedBy(() => append('apps/worker/src/run.ts', 'export const edited = 1;\n'), 1)).toEqual([
      'worker-1',
    ]);
  }, 180_000);

  it('restarts both after a change of a library, and keeps the log and the data', async () => {
    const names = await restartedBy(() => append('libs/kernel/index.ts', 'export const edited = 1;\n'), 3);
    expect(names).toEqual(['coordinator-1', 'coordinator-2', 'worker-1']);
    const { status, body } = await cluster.coordinators[1].request('GET', '/mount');
    expect([status, JSON.stringify(body)]).toEqual([200, expect.stringContaining('/docs')]);
  }, 180_000);

  it('shows a compile error and restarts nothing, also after the error is corrected', async () => {
    const before = cluster.pids();
    const compiled = () => said().split('Compiled in').length;
    const compilations = compiled();
    rewrite(health, edited, `status: edited`);
    await eventually('the error is shown', () => said().includes(`error TS2304: Cannot find name 'edited'`), limits);
    await eventually('it says that nothing is restarted', () => said().includes('1 error(s)'), limits);
    expect(await answers()).toEqual(['edited', 'edited']);
    rewrite(health, `status: edited`, edited);
    await eventually('it compiles again', () => compiled() > compilations, limits);
    expect(cluster.pids()).toEqual(before);
  }, 180_000);

  it('leaves no process running when it ends', async () => {
    const left = Object.values(cluster.pids());
    expect((await cluster.process.stop()).code).toBe(0);
    expect(left.filter(isAlive)).toEqual([]);
  });
});

function isAlive(pid: number): boolean {
  try {
    return process.kill(pid, 0);
  } catch {
    return false;
  }
}
