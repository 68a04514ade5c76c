import net from 'node:net';
import { coordinatorPorts } from './ports.js';

describe('coordinatorPorts', () => {
  it('finds as many free ports as asked for', async () => {
    const ports = await coordinatorPorts('127.0.0.1', 0, 4);
    expect(new Set(ports).size).toBe(4);
  });

  it('names LARDER_PORT and the port that is taken', async () => {
    const server = net.createServer();
    await new Promise<void>((listening) => server.listen(0, '127.0.0.1', listening));
    const { port } = server.address() as net.AddressInfo;
    const sentence = `Port ${port} on 127.0.0.1 is in use: set LARDER_PORT to another one.`;
    await expect(coordinatorPorts('127.0.0.1', port, 1)).rejects.toThrow(sentence);
    await new Promise((closed) => server.close(closed));
    await expect(coordinatorPorts('127.0.0.1', port, 1)).resolves.toEqual([port]);
  });
});
