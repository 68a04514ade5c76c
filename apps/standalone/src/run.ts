// `npm start`, `npm run cluster`, `npm run dev`: a whole cluster on this machine. Everything it needs is there when this
// runs: see scripts/start.mjs and scripts/dev.mjs.
import path from 'node:path';
import { EXIT_REFUSED, Refusal } from '#process';
import { type CodeChanges, runStandalone } from './standalone.js';

const apps = path.resolve(import.meta.dirname, '..', '..');
/** Scripts of package.json that become this process. */
const lifecycleEvents = ['start', 'cluster', 'dev'];

/**
 * Runs the cluster until a signal stops it, then ends the process.
 * @param changes whose code changes meanwhile
 */
export async function run(changes?: CodeChanges): Promise<never> {
  const stop = new AbortController();
  const kill = new AbortController();
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) {
    // The second one means: at once.
    process.on(signal, () => (stop.signal.aborted ? kill : stop).abort());
  }
  if (lifecycleEvents.includes(process.env.npm_lifecycle_event ?? '')) stopWithParent(stop);

  try {
    process.exitCode = await runStandalone({
      env: process.env,
      root: path.resolve(apps, '..', '..'),
      scripts: {
        natsHost: path.join(import.meta.dirname, 'nats-host.js'),
        balancer: path.join(import.meta.dirname, 'balancer-host.js'),
        coordinator: path.join(apps, 'coordinator', 'src', 'main.js'),
        worker: path.join(apps, 'worker', 'src', 'main.js'),
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
  // Whatever else may still be open has no say in this.
  process.exit();
}

/** A killed `npm` cannot pass its signal on: what it leaves without a parent stops by itself. */
function stopWithParent(stop: AbortController): void {
  const parent = process.ppid;
  const poll = setInterval(() => {
    if (process.ppid !== parent) stop.abort();
  }, 500);
  poll.unref();
}
