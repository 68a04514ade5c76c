import { createServer } from 'node:http';
import { connect } from 'node:net';
import { once } from 'node:events';
import { ReadinessGate } from './readiness-gate.js';

describe('the gate before the API', () => {
  let gate: ReadinessGate;
  beforeEach(async () => void (gate = await ReadinessGate.open(0, '127.0.0.1')));
  afterEach(() => gate.close().catch(() => undefined));

  const ask = async (path: string, init?: RequestInit) => {
    const answer = await fetch(`http://127.0.0.1:${gate.port}${path}`, init);
    return { code: answer.status, ...((await answer.json()) as { status: string }) };
  };

  it('is alive, and lets no request in', async () => {
    expect(await ask('/healthz')).toEqual({ code: 200, status: 'ok' });
    gate.waitFor('the log is being read');
    const closed = { code: 503, status: 'not ready: the log is being read' };
    expect(await ask('/readyz')).toEqual(closed);
    expect(await ask('/api/v1/mount')).toEqual(closed);
    const body = JSON.stringify({ paths: Array.from({ length: 50_000 }, (_, i) => `/${i}`) });
    expect(await ask('/api/v1/load', { method: 'POST', body })).toEqual(closed);
  });

  it('gives its port up at once, also with connections open', async () => {
    const { port } = gate;
    const idle = connect(port, '127.0.0.1');
    await once(idle, 'connect');
    await gate.close();
    await once(idle, 'close');
    const api = createServer((_request, response) => response.end('{"status":"the API"}')).listen(port, '127.0.0.1');
    await once(api, 'listening');
    const answer = await fetch(`http://127.0.0.1:${port}/readyz`);
    expect(await answer.text()).toContain('the API');
    api.closeAllConnections();
    await new Promise((closed) => api.close(closed));
  });

  it('says that a port is taken', async () => {
    await expect(ReadinessGate.open(gate.port, '127.0.0.1')).rejects.toMatchObject({ code: 'EADDRINUSE' });
  });
});
