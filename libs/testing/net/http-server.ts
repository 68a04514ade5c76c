import { once } from 'node:events';
import type { Server } from 'node:http';
import type { AddressInfo } from 'node:net';

/** @param port 0: any free one */
export async function listenOn(server: Server, host: string, port = 0): Promise<{ endpoint: string; port: number }> {
  server.listen(port, host);
  await once(server, 'listening');
  const { port: taken } = server.address() as AddressInfo;
  return { endpoint: `http://${host}:${taken}`, port: taken };
}

/** Also breaks the connections that are open. */
export async function closeNow(server: Server): Promise<void> {
  if (!server.listening) return;
  const closed = once(server, 'close');
  server.close();
  server.closeAllConnections();
  await closed;
}
