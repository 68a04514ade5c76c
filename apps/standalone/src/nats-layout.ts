import fs from 'node:fs';
import net from 'node:net';
import path from 'node:path';
import { z } from 'zod';
import { Refusal } from '#process';

/** The directory and ports of one of the cluster's own nats-servers. They stay the same: others know it by them. */
export interface NatsPlace {
  /** `nats`, or `nats-1` and so on when there are several. */
  readonly name: string;
  readonly storeDir: string;
  /** Port for clients. */
  readonly port: number;
  /** Port for the other servers. */
  readonly routePort: number;
}

const schema = z.array(z.object({ port: z.number().int().positive(), routePort: z.number().int().positive() })).min(1);
type Ports = z.infer<typeof schema>;

/**
 * The places of a data directory's nats-servers. They keep the ports of the last run. A port that another process has
 * taken since is replaced by a new one.
 * @param natsDir of the data directory
 * @throws Refusal when the directory holds the log of another number of servers, because they would not find it
 */
export async function natsPlaces(natsDir: string, servers: number): Promise<NatsPlace[]> {
  const file = path.join(natsDir, 'servers.json');
  const known = readPorts(file) ?? [];
  const had = known.length > 0 ? known.length : fs.existsSync(path.join(natsDir, 'jetstream')) ? 1 : servers;
  if (had !== servers) {
    throw new Refusal(
      `LARDER_NATS_SERVERS is ${servers}, but ${natsDir} holds the log of ${had}: set it to ${had}, or LARDER_DATA_DIR to another directory.`,
    );
  }
  const ports = await usablePorts(known, servers);
  writePorts(file, ports);
  return ports.map(({ port, routePort }, index) => ({
    name: servers === 1 ? 'nats' : `nats-${index + 1}`,
    storeDir: servers === 1 ? natsDir : path.join(natsDir, `server-${index + 1}`),
    port,
    routePort,
  }));
}

function readPorts(file: string): Ports | undefined {
  try {
    return schema.parse(JSON.parse(fs.readFileSync(file, 'utf8')));
  } catch {
    // The file is missing or cut short. New ports are good enough.
    return undefined;
  }
}

function writePorts(file: string, ports: Ports): void {
  const temporary = `${file}.${process.pid}`;
  fs.writeFileSync(temporary, JSON.stringify(ports, null, 2) + '\n');
  fs.renameSync(temporary, file);
}

/** Keeps the ports of `known` that are free and replaces the others. All ports are different. */
async function usablePorts(known: Ports, servers: number): Promise<Ports> {
  const taken = new Set(known.flatMap(({ port, routePort }) => [port, routePort]));
  const usable = async (port: number | undefined): Promise<number> => {
    if (port !== undefined && (await isFree(port))) return port;
    for (;;) {
      // Below the range of ephemeral ports, so that no outgoing connection gets one of these.
      const another = 20_000 + Math.floor(Math.random() * 12_000);
      if (taken.has(another) || !(await isFree(another))) continue;
      taken.add(another);
      return another;
    }
  };
  const ports: Ports = [];
  for (let index = 0; index < servers; index++) {
    const { port, routePort } = known.at(index) ?? {};
    ports.push({ port: await usable(port), routePort: await usable(routePort) });
  }
  return ports;
}

function isFree(port: number): Promise<boolean> {
  return new Promise((answer) => {
    const server = net.createServer();
    server.once('error', () => answer(false));
    server.listen({ port, host: '127.0.0.1', exclusive: true }, () => server.close(() => answer(true)));
  });
}
