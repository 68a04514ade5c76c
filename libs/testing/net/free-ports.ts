import { createServer } from 'node:net';

/** Below the range from which the system hands out ports by itself (on Linux from 32768). */
const firstPort = 20_000;
const portsPerWorker = 3000;
/** Of jest: more share a range with one another. */
const workers = 4;

/**
 * Ports that nobody listens on. A process that asks for any port, or merely connects, cannot take one of them before it
 * is used, nor can a test that runs at the same time in another worker of jest.
 */
export async function freePorts(count: number): Promise<number[]> {
  const worker = Number(process.env.JEST_WORKER_ID ?? 0) % workers;
  const ports = new Set<number>();
  while (ports.size < count) {
    const port = firstPort + worker * portsPerWorker + Math.floor(Math.random() * portsPerWorker);
    if (!ports.has(port) && (await isFree(port))) ports.add(port);
  }
  return [...ports];
}

function isFree(port: number): Promise<boolean> {
  return new Promise((answer) => {
    const server = createServer();
    server.once('error', () => answer(false));
    server.listen(port, '127.0.0.1', () => server.close(() => answer(true)));
  });
}
