import { createServer, type IncomingMessage, type Server } from 'node:http';
import { closeNow, listenOn } from '../net/index.js';

export interface RedirectAnswer {
  status: number;
  headers?: Record<string, string>;
  body?: string;
}

/** A server without objects. It answers as a test says, mostly with redirects, and records the requests. */
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

  start(host = '127.0.0.1'): Promise<{ endpoint: string; port: number }> {
    return listenOn(this.server, host);
  }

  stop(): Promise<void> {
    return closeNow(this.server);
  }
}
