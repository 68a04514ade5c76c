import fs from 'node:fs';
import net from 'node:net';
import path from 'node:path';
import { natsPlaces } from './nats-layout.js';
import { temporaryDirectory } from './spec-support/temporary-directory.js';

describe('natsPlaces', () => {
  const directory = temporaryDirectory();
  const ports = (places: Awaited<ReturnType<typeof natsPlaces>>) =>
    places.flatMap(({ port, routePort }) => [port, routePort]);

  it('gives the same places every time, with different ports', async () => {
    const first = await natsPlaces(directory.path, 3);
    expect(first.map(({ name }) => name)).toEqual(['nats-1', 'nats-2', 'nats-3']);
    expect(first.map(({ storeDir }) => path.basename(storeDir))).toEqual(['server-1', 'server-2', 'server-3']);
    expect(new Set(ports(first)).size).toBe(6);
    expect(await natsPlaces(directory.path, 3)).toEqual(first);
  });

  it('replaces only the port that another process has taken meanwhile', async () => {
    const first = await natsPlaces(directory.path, 3);
    const server = net.createServer();
    await new Promise<void>((listening) => server.listen(first[1].port, '127.0.0.1', listening));
    const second = await natsPlaces(directory.path, 3);
    await new Promise((closed) => server.close(closed));
    expect(ports(second).filter((port) => !ports(first).includes(port))).toEqual([second[1].port]);
    expect(await natsPlaces(directory.path, 3)).toEqual(second);
  });

  it('chooses new places where its file is damaged', async () => {
    await natsPlaces(directory.path, 3);
    const file = directory.write('servers.json', '[{"port":');
    expect(await natsPlaces(directory.path, 3)).toHaveLength(3);
    expect(JSON.parse(fs.readFileSync(file, 'utf8'))).toHaveLength(3);
  });

  it('refuses a number of servers that differs from those that hold the log', async () => {
    await natsPlaces(directory.path, 3);
    await expect(natsPlaces(directory.path, 1)).rejects.toThrow(/holds the log of 3: set it to 3/);
  });

  it('treats a store without its file as that of a single server', async () => {
    fs.mkdirSync(path.join(directory.path, 'jetstream'));
    await expect(natsPlaces(directory.path, 3)).rejects.toThrow(/holds the log of 1: set it to 1/);
    const [only] = await natsPlaces(directory.path, 1);
    expect(only).toMatchObject({ name: 'nats', storeDir: directory.path });
  });
});
