import { createServer, type IncomingMessage, type Server } from 'node:http';
import { once } from 'node:events';
import type { AddressInfo } from 'node:net';

export interface RedirectAnswer {
  status: number;
  headers?: Record<string, string>;
  body?: string;
}

/** A server that has no objects: it answers as a test says, for the most part with where to go, and takes notes. */
export class RedirectingServer {
  readonly seen: { method: string; url: string; headers: IncomingMessage['headers'] }[] = [];
  answer: (request: IncomingMessage, asked: number) => RedirectAnswer = () => ({ status: 500 });
  private readonly server: Server;

  constructor() {
    this.server = createServer((request, response) => {
      const { method = '', url = '', headers } = request;
      this.seen.push({ method, url, headers });
      const { status, headers: sent = {}, body = '' } = this.answer(request, this.seen.length);
      const length = { 'content-length': Buffer.byteLength(body) };
      response.writeHead(status, { ...length, ...sent }).end(method === 'HEAD' ? undefined : body);
    });
  }

  async start(host = '127.0.0.1'): Promise<{ endpoint: string; port: number }> {
    this.server.listen(0, host);
    await once(this.server, 'listening');
    const { port } = this.server.address() as AddressInfo;
    return { endpoint: `http://${host}:${port}`, port };
  }

  async stop(): Promise<void> {
    if (!this.server.listening) return;
    const closed = once(this.server, 'close');
    this.server.close();
    this.server.closeAllConnections();
    await closed;
  }
}
