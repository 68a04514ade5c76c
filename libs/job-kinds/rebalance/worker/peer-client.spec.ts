import { once } from 'node:events';
import { createServer, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { PeerClient, type PeerEntry } from './peer-client.js';

/** So short that it has come as a whole when the headers are looked at. */
const bytes = Buffer.from('short');
const entry: PeerEntry = { path: 's3://bucket/a', sizeBytes: bytes.length, version: 'v1', loadedAtMs: 0, replicas: 1 };

describe('fetching from a peer', () => {
  let server: Server;
  let client: PeerClient;
  let address: string;
  let answer: (response: ServerResponse) => void;

  beforeEach(async () => {
    server = createServer((_request, response) => answer(response));
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    address = `127.0.0.1:${(server.address() as AddressInfo).port}`;
    client = new PeerClient(new AbortController().signal);
  });
  afterEach(async () => {
    await client.close();
    server.closeAllConnections();
    await new Promise((resolve) => server.close(resolve));
  });

  /** Resolves when the answer's connection has come to its end, one way or the other. */
  function answering(status: number, headers: Record<string, string>): Promise<unknown> {
    return new Promise((resolve) => {
      answer = (response) => {
        response.once('close', resolve);
        response.writeHead(status, { 'content-length': bytes.length, ...headers });
        response.end(bytes);
      };
    });
  }

  // An abandoned body reports its own end as an error. Without a listener this used to end the worker.
  it.each([
    ['a version that the peer no longer holds', 200, { etag: '"v2"' }, 'NotFound'],
    ['an invalid answer', 503, {}, 'Unavailable'],
  ])('%s is refused without reading it', async (_what, status, headers, code) => {
    const closed = answering(status, headers);
    await expect(client.source(address, entry).open(entry.path)).rejects.toMatchObject({ code });
    await closed;
  });
});
