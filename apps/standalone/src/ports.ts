import net from 'node:net';
import { Refusal } from '#process';

interface WantedPort {
  /** 0: any free port. */
  readonly port: number;
  /** The setting that the error names when the port is taken. */
  readonly setting: string;
}

export interface RestPorts {
  readonly coordinators: readonly number[];
  readonly balancer: number | undefined;
}

/**
 * The ports of the REST API: LARDER_PORT and the ports after it for the coordinators, LARDER_BALANCER_PORT for a
 * balancer, or any free ports if these are 0.
 * @param balancerPort undefined: there is no balancer
 * @throws Refusal naming the setting when one of them is taken
 */
export async function restPorts(
  host: string,
  port: number,
  count: number,
  balancerPort: number | undefined,
): Promise<RestPorts> {
  const wanted: WantedPort[] = Array.from({ length: count }, (_, index) => ({
    port: port === 0 ? 0 : port + index,
    setting: 'LARDER_PORT',
  }));
  if (balancerPort !== undefined) wanted.push({ port: balancerPort, setting: 'LARDER_BALANCER_PORT' });
  const ports = await holdAll(host, wanted);
  return { coordinators: ports.slice(0, count), balancer: ports.at(count) };
}

/** Listens on all ports until the last one is known, so that no free port is chosen twice. */
async function holdAll(host: string, wanted: readonly WantedPort[]): Promise<number[]> {
  const servers: net.Server[] = [];
  try {
    for (const one of wanted) servers.push(await listen(host, one));
    return servers.map((server) => (server.address() as net.AddressInfo).port);
  } finally {
    await Promise.all(servers.map((server) => new Promise((closed) => server.close(closed))));
  }
}

function listen(host: string, { port, setting }: WantedPort): Promise<net.Server> {
  return new Promise((resolve, reject) => {
    const server = net.createServer();
    server.once('error', (error: NodeJS.ErrnoException) => reject(refusal(error, host, { port, setting })));
    server.listen({ host, port, exclusive: true }, () => resolve(server));
  });
}

function refusal(error: NodeJS.ErrnoException, host: string, { port, setting }: WantedPort): Error {
  if (error.code === 'EADDRINUSE') {
    return new Refusal(`Port ${port} on ${host} is in use: set ${setting} to another one.`);
  }
  if (error.code === 'EACCES') {
    return new Refusal(`Port ${port} may not be used by this user: set ${setting} to one above 1023.`);
  }
  if (error.code === 'EADDRNOTAVAIL' || error.code === 'ENOTFOUND') {
    return new Refusal(`LARDER_HOST ${host} is no address of this machine.`);
  }
  return error;
}
