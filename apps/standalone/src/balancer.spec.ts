import http, { type RequestListener } from 'node:http';
import { type AddressInfo } from 'node:net';
import { eventually, freePorts } from '#testing';
import { type Balancer, startBalancer } from './balancer.js';

/** A fake coordinator with the parts that the balancer uses. */
class Backend {
  ready = true;
  readonly bodies: string[] = [];
  server: http.Server | undefined;

  constructor(
    readonly name: string,
    private readonly answer: RequestListener = (_request, response) => response.end(name),
  ) {}

  async listen(port = 0): Promise<string> {
    this.server = http.createServer((request, response) => {
      if (request.url === '/readyz') {
        response.writeHead(this.ready ? 200 : 503).end();
        return;
      }
      let body = '';
      request.on('data', (chunk) => (body += chunk));
      request.on('end', () => {
        this.bodies.push(body);
        response.setHeader('x-forwarded', String(request.headers['x-forwarded-for']));
        this.answer(request, response);
      });
    });
    await new Promise<void>((listening) => this.server!.listen(port, '127.0.0.1', listening));
    return `http://127.0.0.1:${(this.server.address() as AddressInfo).port}`;
  }

  async close(): Promise<void> {
    const closed = new Promise((done) => this.server?.close(done));
    this.server?.closeAllConnections();
    await closed;
  }
}

describe('the balancer', () => {
  let balancer: Balancer;
  let backends: Backend[] = [];
  let url: string;

  async function start(...given: Backend[]): Promise<void> {
    backends = given;
    const targets = await Promise.all(backends.map((backend) => backend.listen()));
    const [port] = await freePorts(1);
    url = `http://127.0.0.1:${port}`;
    balancer = await startBalancer({ host: '127.0.0.1', port, targets, checkEveryMs: 20 });
  }

  afterEach(async () => {
    await balancer?.close(100);
    await Promise.all(backends.filter(({ server }) => server?.listening).map((backend) => backend.close()));
  });

  const post = (body = '') => fetch(`${url}/api/v1/load`, { method: 'POST', body });
  const names = async (count: number) => {
    const answers: string[] = [];
    for (let i = 0; i < count; i++) answers.push(await (await post()).text());
    return answers.sort();
  };

  it('goes round, and forwards the real source of a request, not the one that the client claims', async () => {
    await start(new Backend('a'), new Backend('b'), new Backend('c'));
    expect(await names(6)).toEqual(['a', 'a', 'b', 'b', 'c', 'c']);
    const answer = await fetch(url, { headers: { 'x-forwarded-for': '1.2.3.4' } });
    expect(answer.headers.get('x-forwarded')).toBe('127.0.0.1');
    await answer.text();
  });

  it('leaves out coordinators that are not ready; when none is ready, it asks all', async () => {
    const [a, b] = [new Backend('a'), new Backend('b')];
    await start(a, b);
    a.ready = false;
    await eventually('a is left out', async () => !(await names(2)).includes('a'));
    expect(await names(4)).toEqual(['b', 'b', 'b', 'b']);
    b.ready = false;
    await eventually('both are asked', async () => (await names(2)).join() === 'a,b');
    a.ready = b.ready = true;
    await eventually('both are back', async () => (await names(2)).join() === 'a,b');
  });

  it('sends a request with its body to the next coordinator when one refuses the connection', async () => {
    const [a, b] = [new Backend('a'), new Backend('b')];
    await start(a, b);
    await a.close();
    const body = 'x'.repeat(300_000);
    const answers = await Promise.all([post(body), post(body)]);
    expect(answers.map(({ status }) => status)).toEqual([200, 200]);
    expect(b.bodies).toEqual([body, body]);
  });

  it('never sends a request again that a coordinator may have accepted', async () => {
    const dies: RequestListener = (request) => request.socket.destroy();
    const [a, b] = [new Backend('a', dies), new Backend('b', dies)];
    await start(a, b);
    const answer = await post('once');
    expect(answer.status).toBe(502);
    expect(await answer.json()).toEqual({
      status: expect.stringMatching(/^the coordinator did not answer: /) as string,
    });
    expect([...a.bodies, ...b.bodies]).toEqual(['once']);
  });

  it('answers with an error when no coordinator is there', async () => {
    const a = new Backend('a');
    await start(a);
    await a.close();
    const answer = await post();
    expect(answer.status).toBe(503);
    expect(await answer.json()).toEqual({ status: 'no coordinator can be reached' });
  });

  it('passes on events one by one, and the end of the client’s connection', async () => {
    let next: (() => void) | undefined;
    let closed = false;
    const stream: RequestListener = (_request, response) => {
      response.writeHead(200, { 'content-type': 'text/event-stream' });
      response.write('data: 1\n\n');
      next = () => response.write('data: 2\n\n');
      response.once('close', () => (closed = true));
    };
    await start(new Backend('a', stream));
    const abort = new AbortController();
    const answer = await fetch(url, { signal: abort.signal });
    const reader = answer.body!.pipeThrough(new TextDecoderStream()).getReader();
    expect((await reader.read()).value).toBe('data: 1\n\n');
    next!();
    expect((await reader.read()).value).toBe('data: 2\n\n');
    abort.abort();
    await eventually('the coordinator hears of it', () => closed);
  });

  it('breaks off an answer that breaks off', async () => {
    const half: RequestListener = (_request, response) => {
      response.writeHead(200, { 'content-length': '10' });
      response.write('half', () => response.destroy());
    };
    await start(new Backend('a', half));
    await expect(fetch(url).then((answer) => answer.text())).rejects.toThrow();
  });
});
