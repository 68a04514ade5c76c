import { cp, mkdir, readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { request } from 'undici';
import { eventually, type ManagedProcess, type TestCluster, type WorkerHandle } from '#testing';

export interface Mark {
  logId: string;
  sequence: number;
}

/** The mark that a worker keeps beside its cache. */
export async function markOf(worker: WorkerHandle): Promise<Mark> {
  return JSON.parse(await readFile(join(worker.cacheDir, 'log-mark.json'), 'utf8')) as Mark;
}

export async function writeMark(worker: WorkerHandle, mark: Mark): Promise<void> {
  await mkdir(worker.cacheDir, { recursive: true });
  await writeFile(join(worker.cacheDir, 'log-mark.json'), JSON.stringify(mark));
}

/** Starts a process and waits until it ends with 78, after which supervisors do not retry. @returns its message */
export async function refusal(process: ManagedProcess): Promise<string> {
  if (!process.running) process.launch();
  const code = await exitCode(process);
  const said =
    process
      .log()
      .split('\n')
      .find((line) => line.startsWith(`${process.name.split('-')[0]}: `)) ?? '';
  if (code !== 78 || said === '') {
    throw new Error(`${process.name} ended with ${code} and said '${said}':\n${process.log().slice(-3000)}`);
  }
  return said;
}

/** Waits for the end of a process. A timeout error names the process. */
export async function exitCode(process: ManagedProcess): Promise<number | null> {
  const { exited } = process;
  await eventually(`${process.name} ends`, () => !process.running, { timeoutMs: 60_000 });
  return (await exited).code;
}

/** `GET /readyz` of a worker that has not joined. */
export async function workerReadiness(worker: WorkerHandle): Promise<{ status: number; says: string }> {
  const listens = /"address":"([^"]+)","msg":"worker listens"/.exec(worker.process.log());
  if (!listens) return { status: 0, says: '' };
  const answer = await request(`http://${listens[1]}/readyz`, { reset: true });
  return { status: answer.statusCode, says: await answer.body.text() };
}

/** Waits until the worker reports that it refuses the log. @returns the message */
export async function untilWorkerRefuses(worker: WorkerHandle): Promise<string> {
  return eventually(`${worker.process.name} refuses the log`, async () => {
    const { status, says } = await workerReadiness(worker);
    return status === 503 && says.includes('not the one that was seen') ? says : undefined;
  });
}

export async function untilWorkerIsReady(worker: WorkerHandle): Promise<void> {
  await eventually(`${worker.process.name} is ready`, async () => (await workerReadiness(worker)).status === 200);
}

/** Appends to the log what a user could miss later. */
export async function mountSome(cluster: TestCluster, prefix: string, count = 5): Promise<string[]> {
  const directory = join(cluster.directory, 'ufs');
  await mkdir(directory, { recursive: true });
  const paths = Array.from({ length: count }, (_, i) => `/${prefix}${i}`);
  for (const path of paths) {
    await mkdir(join(directory, path));
    await cluster.api.mount(path, `file://${join(directory, path)}`);
  }
  return paths;
}

export async function mounts(cluster: TestCluster): Promise<string> {
  return JSON.stringify((await cluster.api.request('GET', '/mount')).body);
}

/** Handles NATS' data like an operator. The server must not run meanwhile. */
export class NatsData {
  constructor(private readonly cluster: TestCluster) {}

  private at(name: string): string {
    return join(this.cluster.directory, `nats-${name}`);
  }

  async copyTo(name: string): Promise<void> {
    await cp(this.cluster.nats.storeDir, this.at(name), { recursive: true });
  }

  async wipe(): Promise<void> {
    await rm(join(this.cluster.nats.storeDir, 'jetstream'), { recursive: true });
  }

  /** Keeps the current data under the other name. */
  async replaceBy(name: string, keepAs: string): Promise<void> {
    await this.copyTo(keepAs);
    await this.wipe();
    await cp(join(this.at(name), 'jetstream'), join(this.cluster.nats.storeDir, 'jetstream'), { recursive: true });
  }
}
