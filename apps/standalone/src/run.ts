// `npm start`, `npm run cluster`, `npm run dev`: a whole cluster on this machine. scripts/start.mjs and scripts/dev.mjs
// prepare everything that it needs.
import { existsSync } from 'node:fs';
import path from 'node:path';
import { EXIT_REFUSED, installationDirectory, Refusal } from '#process';
import { type CodeChanges, runStandalone } from './standalone.js';

/** The scripts of package.json that run this process. */
const lifecycleEvents = ['start', 'cluster', 'dev'];

/**
 * Runs the cluster until a signal stops it, then ends the process.
 * @param directory where this process' own script is; the processes that it starts are found from there
 * @param changes reports the processes whose code changes in the meantime
 */
export async function run(directory: string, changes?: CodeChanges): Promise<never> {
  const stop = new AbortController();
  const kill = new AbortController();
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) {
    // The second signal stops at once.
    process.on(signal, () => (stop.signal.aborted ? kill : stop).abort());
  }
  if (lifecycleEvents.includes(process.env.npm_lifecycle_event ?? '')) stopWithParent(stop);

  try {
    process.exitCode = await runStandalone({
      env: process.env,
      root: installationDirectory(),
      scripts: {
        natsHost: path.join(directory, 'nats-host.js'),
        balancer: path.join(directory, 'balancer-host.js'),
        coordinator: scriptOf('coordinator', directory),
        worker: scriptOf('worker', directory),
      },
      ...(changes ? { changes } : {}),
      stop: stop.signal,
      kill: kill.signal,
      say: (line) => console.log(line),
    });
  } catch (error) {
    const expected = error instanceof Refusal;
    console.error(expected ? error.message : error);
    process.exitCode = expected ? EXIT_REFUSED : 1;
  }
  // Exit even if some handle is still open.
  process.exit();
}

/** The bundles are all in one directory; what the compiler wrote is in a directory for each application. */
function scriptOf(app: 'coordinator' | 'worker', directory: string): string {
  const bundle = path.join(directory, `${app}.js`);
  return existsSync(bundle) ? bundle : path.resolve(directory, '..', '..', app, 'src', 'main.js');
}

/** A killed `npm` cannot pass its signal on. So this process stops itself when it loses its parent. */
function stopWithParent(stop: AbortController): void {
  const parent = process.ppid;
  const poll = setInterval(() => {
    if (process.ppid !== parent) stop.abort();
  }, 500);
  poll.unref();
}
