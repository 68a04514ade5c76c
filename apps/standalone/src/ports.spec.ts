import net from 'node:net';
import { restPorts } from './ports.js';

describe('restPorts', () => {
  it('finds as many free ports as asked for', async () => {
    const { coordinators, balancer } = await restPorts('127.0.0.1', 0, 4, 0);
    expect(coordinators).toHaveLength(4);
    expect(new Set([...coordinators, balancer]).size).toBe(5);
  });

  it('names the setting and the port that is taken', async () => {
    const server = net.createServer();
    await new Promise<void>((listening) => server.listen(0, '127.0.0.1', listening));
    const { port } = server.address() as net.AddressInfo;
    const sentence = `Port ${port} on 127.0.0.1 is in use: set LARDER_PORT to another one.`;
    await expect(restPorts('127.0.0.1', port, 1, undefined)).rejects.toThrow(sentence);
    const another = sentence.replace('LARDER_PORT', 'LARDER_BALANCER_PORT');
    await expect(restPorts('127.0.0.1', 0, 1, port)).rejects.toThrow(another);
    await new Promise((closed) => server.close(closed));
    const free = await restPorts('127.0.0.1', port, 1, undefined);
    expect(free).toEqual({ coordinators: [port], balancer: undefined });
  });
});
