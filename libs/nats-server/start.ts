import { type ChildProcess, spawn } from 'node:child_process';
import { mkdir, open, readFile, rm, writeFile } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { connect, type ConnectionOptions } from 'nats';
import { endChild } from '#process';
import { natsServerVersion } from './find.js';
import { natsConfigFile, type NatsServerOptions } from './config-file.js';

/** A nats-server that this process started. It gets a signal to stop when this process exits. */
export interface NatsServerProcess {
  /** For clients. It holds the token, so do not log it. If the server has users, it holds no name and password. */
  readonly url: string;
  readonly port: number;
  readonly pid: number;
  /** Version of the executable, `2.10.27`. */
  readonly version: string;
  /** Settles when the process is gone, for whatever reason. Never rejects. */
  readonly exited: Promise<{ code: number | null; signal: NodeJS.Signals | null }>;
  /** Sends the signal (default SIGKILL) and waits until the process is gone. */
  kill(signal?: NodeJS.Signals): Promise<void>;
  /** Stops it in good order: SIGTERM, and SIGKILL if it still runs after ten seconds. */
  stop(): Promise<void>;
}

/**
 * Starts a server, and resolves when its JetStream answers. With the same `storeDir` and `port` it continues from the
 * state of an earlier one, even if that was killed.
 *
 * @throws Error with the last lines of the server's log if it ends or is not ready in time.
 */
export async function startNatsServer(given: NatsServerOptions): Promise<NatsServerProcess> {
  const options = { ...given, storeDir: resolve(given.storeDir) };
  const logFile = options.logFile ?? join(options.storeDir, 'nats-server.log');
  const portsFileDir = join(options.storeDir, 'run');
  const configFile = join(options.storeDir, 'nats-server.conf');
  const version = natsServerVersion(options.binary);
  if (version === undefined) throw new Error(`${options.binary} does not answer to -v like a nats-server`);
  await rm(portsFileDir, { recursive: true, force: true });
  await mkdir(portsFileDir, { recursive: true, mode: 0o700 });
  // Remove it first: `mode` counts only for a new file, and this one may hold the token.
  await rm(configFile, { force: true });
  await writeFile(configFile, natsConfigFile(options, version, portsFileDir), { mode: 0o600 });

  const log = await open(logFile, 'a', 0o600);
  const logStart = (await log.stat()).size;
  const child = spawn(options.binary, ['-c', configFile], { stdio: ['ignore', log.fd, log.fd] });
  await log.close();
  const exited = exitOf(child);
  const endWithParent = () => child.kill('SIGTERM');
  process.once('exit', endWithParent);
  void exited.then(() => process.off('exit', endWithParent));
  if (child.pid !== undefined) options.onSpawn?.(child.pid);
  try {
    const port = await ready(child, exited, options, portsFileDir);
    return handle(child, exited, { port, version, options });
  } catch (error) {
    child.kill('SIGKILL');
    await exited;
    const output = (await readFile(logFile, 'utf8')).slice(logStart).trim().split('\n').slice(-15).join('\n');
    const reason = error instanceof Error ? error.message : String(error);
    throw new Error(`nats-server ${version} did not start: ${reason}\n${output}`, { cause: error });
  }
}

function exitOf(child: ChildProcess): NatsServerProcess['exited'] {
  return new Promise((settle) => {
    child.once('exit', (code, signal) => settle({ code, signal }));
    // The executable vanished or is not executable: then there is no exit event.
    child.once('error', () => settle({ code: null, signal: null }));
  });
}

async function ready(
  child: ChildProcess,
  exited: NatsServerProcess['exited'],
  options: NatsServerOptions,
  portsFileDir: string,
): Promise<number> {
  const deadline = Date.now() + (options.startTimeoutMs ?? 30_000);
  let ended = false;
  void exited.then(() => (ended = true));
  let lastError: unknown = 'it wrote no port';
  while (Date.now() < deadline) {
    if (ended) throw new Error('the process ended');
    if (options.signal?.aborted) throw new Error('the start was called off');
    // Read the server's own file even if the port was given: another process may be answering on that port.
    const port = await writtenPort(portsFileDir, child.pid);
    if (port !== undefined) {
      try {
        await askAccountInfo(options, port);
        return port;
      } catch (error) {
        lastError = error;
      }
    }
    await sleep(20);
  }
  throw new Error(`not ready in time (${lastError instanceof Error ? lastError.message : String(lastError)})`);
}

/** The server writes its ports to `<executable's name>_<pid>.ports`. */
async function writtenPort(portsFileDir: string, pid: number | undefined): Promise<number | undefined> {
  try {
    const ports = JSON.parse(await readFile(join(portsFileDir, `nats-server_${pid}.ports`), 'utf8')) as {
      nats: string[];
    };
    return Number(new URL(ports.nats[0]).port);
  } catch {
    // It does not exist yet or is only half written: the caller asks again.
    return undefined;
  }
}

function credentialsOf({ accounts, token }: NatsServerOptions): ConnectionOptions {
  const first = accounts?.[0]?.users[0];
  if (first === undefined) return { token };
  const { user, password, inboxPrefix } = first;
  if (typeof password !== 'string') throw new Error(`the password of user ${user} is not known here`);
  return { user, pass: password, inboxPrefix };
}

async function askAccountInfo(options: NatsServerOptions, port: number): Promise<void> {
  const nc = await connect({
    servers: `${options.host ?? '127.0.0.1'}:${port}`,
    ...credentialsOf(options),
    reconnect: false,
    timeout: 2_000,
  });
  try {
    await (await nc.jetstreamManager({ timeout: 1_000 })).getAccountInfo();
  } finally {
    await nc.close();
  }
}

function handle(
  child: ChildProcess,
  exited: NatsServerProcess['exited'],
  { port, version, options }: { port: number; version: string; options: NatsServerOptions },
): NatsServerProcess {
  const credentials = options.token === undefined ? '' : `${encodeURIComponent(options.token)}@`;
  const kill = async (signal: NodeJS.Signals = 'SIGKILL') => {
    child.kill(signal);
    await exited;
  };
  return {
    url: `nats://${credentials}${options.host ?? '127.0.0.1'}:${port}`,
    port,
    pid: child.pid!,
    version,
    exited,
    kill,
    stop: async () => {
      await endChild(child, exited, 10_000);
    },
  };
}
