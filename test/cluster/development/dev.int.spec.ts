import { appendFileSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { ApiClient, copySources, eventually, freePorts, ManagedProcess } from '#testing';

const health = 'apps/coordinator/src/health.controller.ts';
/** The type of the answer allows only 'ok'. */
const edited = `status: 'edited' as 'ok'`;
const limits = { timeoutMs: 120_000 };

describe('npm run dev', () => {
  let tree: string;
  let dev: ManagedProcess;
  let coordinators: string[];

  beforeAll(async () => {
    tree = mkdtempSync(join(tmpdir(), 'larder-dev-'));
    copySources(tree, { build: true });
    // The coordinators take this port and the next one.
    const [port] = await freePorts(1);
    coordinators = [port, port + 1].map((one) => `http://127.0.0.1:${one}`);
    dev = new ManagedProcess({
      name: 'npm run dev',
      script: join(tree, 'scripts/dev.mjs'),
      env: {
        LARDER_DATA_DIR: join(tree, 'data'),
        LARDER_PORT: String(port),
        LARDER_COORDINATORS: '2',
        LARDER_WORKERS: '1',
      },
      logFile: join(tree, 'dev.log'),
      isReady: (self) => self.log().includes('Ctrl-C stops everything'),
    });
    await dev.start();
    await new ApiClient(coordinators[0]).mount('/docs', `file://${tree}/docs`);
  }, 180_000);
  afterAll(async () => {
    if (dev.running) await dev.stop();
    rmSync(tree, { recursive: true, force: true });
  });

  /** Process ids by name: `coordinator-1`, `nats-server` … */
  function pids(): Record<string, number> {
    const directory = join(tree, 'data/run');
    const entries = readdirSync(directory).map((file) => {
      const { pid } = JSON.parse(readFileSync(join(directory, file), 'utf8')) as { pid: number };
      return [file.replace('.pid', ''), pid] as const;
    });
    return Object.fromEntries(entries);
  }

  /** Makes an edit. @returns the names of the processes that were restarted for it, in order */
  async function restartedBy(edit: () => void, count: number): Promise<string[]> {
    const before = pids();
    const said = dev.log().length;
    const restarted = () =>
      [
        ...dev
          .log()
          .slice(said)
          .matchAll(/^(\S+) runs the new code/gm),
      ].map(([, name]) => name);
    edit();
    await eventually(`${count} processes run the new code`, () => restarted().length >= count, limits);
    const after = pids();
    expect(Object.keys(after).filter((name) => after[name] !== before[name])).toEqual([...restarted()].sort());
    return restarted();
  }

  const rewrite = (file: string, from: string, to: string) =>
    writeFileSync(join(tree, file), readFileSync(join(tree, file), 'utf8').replace(from, to));
  const append = (file: string, text: string) => appendFileSync(join(tree, file), text);
  const answers = () =>
    Promise.all(
      coordinators.map(async (url) => ((await (await fetch(`${url}/healthz`)).json()) as { status: string }).status),
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
    const { status, body } = await new ApiClient(coordinators[1]).request('GET', '/mount');
    expect([status, JSON.stringify(body)]).toEqual([200, expect.stringContaining('/docs')]);
  }, 180_000);

  it('shows a compile error and restarts nothing, also after the error is corrected', async () => {
    const before = pids();
    const compiled = () => dev.log().split('Compiled in').length;
    const compilations = compiled();
    rewrite(health, edited, `status: edited`);
    await eventually('the error is shown', () => dev.log().includes(`error TS2304: Cannot find name 'edited'`), limits);
    await eventually('it says that nothing is restarted', () => dev.log().includes('1 error(s)'), limits);
    expect(await answers()).toEqual(['edited', 'edited']);
    rewrite(health, `status: edited`, edited);
    await eventually('it compiles again', () => compiled() > compilations, limits);
    expect(pids()).toEqual(before);
  }, 180_000);

  it('leaves no process running when it ends', async () => {
    const left = Object.values(pids());
    expect((await dev.stop()).code).toBe(0);
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
