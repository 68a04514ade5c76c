import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import { once } from 'node:events';
import type { AddressInfo } from 'node:net';
import { httpLimits, limitRequests, refuseBrokenHttp } from '#runtime';

/**
 * Serves the API's port while the log is being read, which may take long. `/healthz` answers 200, so that a supervisor
 * does not restart the process. All other paths answer 503, so that a balancer sends no requests. Then the API takes
 * the port over. In the moment between the two, connections are refused.
 */
export class ReadinessGate {
  private constructor(
    private readonly server: Server,
    private missing: () => string,
  ) {
    server.on('request', (request: IncomingMessage, response: ServerResponse) => this.answer(request, response));
  }

  /** @throws the system's error, EADDRINUSE among others */
  static async open(port: number, host: string): Promise<ReadinessGate> {
    const server = createServer(httpLimits);
    limitRequests(server);
    server.on('clientError', refuseBrokenHttp);
    const gate = new ReadinessGate(server, () => 'the coordinator is starting');
    server.listen(port, host);
    await once(server, 'listening');
    return gate;
  }

  /** The port in use; of interest when any free port was asked for. */
  get port(): number {
    return (this.server.address() as AddressInfo).port;
  }

  /** Sets what the coordinator waits for. `/readyz` answers it. */
  waitFor(what: string | (() => string)): void {
    this.missing = typeof what === 'string' ? () => what : what;
  }

  /** Releases the port. */
  async close(): Promise<void> {
    const closed = once(this.server, 'close');
    this.server.close();
    this.server.closeAllConnections();
    await closed;
  }

  private answer(request: IncomingMessage, response: ServerResponse): void {
    const alive = request.method === 'GET' && request.url === '/healthz';
    const body = JSON.stringify({ status: alive ? 'ok' : `not ready: ${this.missing()}` });
    // A client's next request must go to the API and not over a connection to this server.
    const headers = {
      'content-type': 'application/json',
      connection: 'close',
      ...(alive ? {} : { 'retry-after': '1' }),
    };
    response.writeHead(alive ? 200 : 503, headers).end(body);
    request.resume();
  }
}
