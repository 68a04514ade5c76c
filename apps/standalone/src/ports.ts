import net from 'node:net';
import { StartRefused } from './start-refused.js';

/**
 * The coordinators' ports: LARDER_PORT and those after it, or any free ones when it is 0.
 * @throws StartRefused naming LARDER_PORT when one of them is taken
 */
export async function coordinatorPorts(host: string, port: number, count: number): Promise<number[]> {
  const wanted = Array.from({ length: count }, (_, index) => (port === 0 ? 0 : port + index));
  // All are held until the last one is known: two free ports must not be the same.
  const servers: net.Server[] = [];
  try {
    for (const one of wanted) servers.push(await listen(host, one));
    return servers.map((server) => (server.address() as net.AddressInfo).port);
  } finally {
    await Promise.all(servers.map((server) => new Promise((closed) => server.close(closed))));
  }
}

function listen(host: string, port: number): Promise<net.Server> {
  return new Promise((resolve, reject) => {
    const server = net.createServer();
    server.once('error', (error: NodeJS.ErrnoException) => reject(refusal(error, host, port)));
    server.listen({ host, port, exclusive: true }, () => resolve(server));
  });
}

function refusal(error: NodeJS.ErrnoException, host: string, port: number): Error {
  if (error.code === 'EADDRINUSE') {
    return new StartRefused(`Port ${port} on ${host} is in use: set LARDER_PORT to another one.`);
  }
  if (error.code === 'EACCES') {
    return new StartRefused(`Port ${port} may not be used by this user: set LARDER_PORT to one above 1023.`);
  }
  if (error.code === 'EADDRNOTAVAIL' || error.code === 'ENOTFOUND') {
    return new StartRefused(`LARDER_HOST ${host} is no address of this machine.`);
  }
  return error;
}
