import { createServer } from 'node:net';

/** Below the range from which the system hands out ports by itself (on Linux from 32768). */
const firstPort = 20_000;
const portsPerWorker = 2000;
/** Workers of jest that have a range of their own; further ones share the ranges. */
const workers = 6;

/**
 * Ports on which no process listens. They stay free until they are used: the system does not give them to a process
 * that asks for any port or connects, nor does a test in another worker of jest get them.
 */
export async function freePorts(count: number): Promise<number[]> {
  // `npm test` has two runs of jest at once, whose workers have the same ids.
  const { JEST_WORKER_ID: id = 0, LARDER_TEST_FIRST_SLOT: first = 0 } = process.env;
  const worker = (Number(first) + Number(id)) % workers;
  const ports = new Set<number>();
  while (ports.size < count) {
    const port = firstPort + worker * portsPerWorker + Math.floor(Math.random() * portsPerWorker);
    if (!ports.has(port) && (await isFree(port))) ports.add(port);
  }
  return [...ports];
}

/** So many in a row, for processes that are given the first one. */
export async function consecutiveFreePorts(count: number): Promise<number[]> {
  for (;;) {
    const [first] = await freePorts(1);
    const wanted = Array.from({ length: count }, (_, i) => first + i);
    const free = await Promise.all(wanted.map(isFree));
    if (free.every(Boolean)) return wanted;
  }
}

function isFree(port: number): Promise<boolean> {
  return new Promise((answer) => {
    const server = createServer();
    server.once('error', () => answer(false));
    server.listen(port, '127.0.0.1', () => server.close(() => answer(true)));
  });
}
