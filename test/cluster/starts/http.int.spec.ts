import { connect } from 'node:net';
import { once } from 'node:events';
import { text } from 'node:stream/consumers';
import { type ApiClient, eventually, projectRoot, standaloneSuite } from '#testing';

type Line = Record<string, unknown> & { level: string; time: string; msg: string };

const env = { LARDER_LOG_LEVEL: 'debug', LARDER_HOSTNAMES: 'larder.example.com' };

standaloneSuite('the HTTP servers of a cluster behind a balancer', { balancer: true, env }, ({ cluster }) => {
  /** Ports by the name of the process that listens there. */
  const ports: Record<string, number> = {};

  beforeAll(async () => {
    const portOf = ({ baseUrl }: ApiClient) => Number(new URL(baseUrl).port);
    const [{ address }] = await cluster.api.nodes();
    const worker = Number(address.split(':')[1]);
    Object.assign(ports, { coordinator: portOf(cluster.coordinators[0]), balancer: portOf(cluster.api), worker });
  });

  async function send(
    port: number,
    bytes: string,
  ): Promise<{ status: number; head: string; body: { status: string } }> {
    const socket = connect(port, '127.0.0.1');
    await once(socket, 'connect');
    socket.write(bytes);
    const [head, ...rest] = (await text(socket)).split('\r\n\r\n');
    const body = rest.join('\r\n\r\n').replace(/^[0-9a-f]+\r\n/, '');
    return { status: Number(head.split(' ')[1]), head, body: JSON.parse(body.split('\r\n')[0]) as { status: string } };
  }

  const get = (more: string, version = '1.1') => `GET /healthz HTTP/${version}\r\n${more}Connection: close\r\n\r\n`;
  const post = (more: string, path = '/api/v1/ttl', body = '{"path":"/nope","ttlSeconds":60}') =>
    `POST ${path} HTTP/1.1\r\n${more}Content-Type: application/json\r\nContent-Length: ${body.length}\r\nConnection: close\r\n\r\n${body}`;
  const servers = ['coordinator', 'worker', 'balancer'] as const;

  it.each(servers)('%s: errors that Node would answer with an empty body have the common shape', async (name) => {
    const host = 'Host: localhost\r\n';
    for (const [bytes, status, sentence] of [
      [get(''), 400, /Host header is missing/],
      [get('Host: \r\n'), 400, /Host header is missing/],
      [post(`${host}Expect: 200-maybe\r\n`), 417, /100-continue/],
      ['nonsense\r\n\r\n', 400, /not valid HTTP/],
      [get(`${host}X: ${'x'.repeat(40_000)}\r\n`), 431, /too long/],
    ] as const) {
      expect({ bytes: bytes.slice(0, 60), ...(await send(ports[name], bytes)) }).toMatchObject({
        status,
        body: { status: expect.stringMatching(sentence) as string },
      });
    }
    expect(await send(ports[name], get('', '1.0'))).toMatchObject({ status: 200 });
  });

  it.each(['coordinator', 'worker'] as const)('%s: refuses a repeated Host header', async (name) => {
    const answer = await send(ports[name], get('Host: localhost\r\nHost: localhost\r\n'));
    expect(answer).toMatchObject({ status: 400, body: { status: 'the Host header must be given once' } });
  });

  it.each(servers)('%s: accepts only its own host names, so that no web page can use another name', async (name) => {
    for (const host of ['evil.example', `evil.example:${ports[name]}`, '127.0.0.1.evil.example', '10.1.2.3']) {
      for (const bytes of [get(`Host: ${host}\r\n`), post(`Host: ${host}\r\n`)]) {
        expect({ host, ...(await send(ports[name], bytes)) }).toMatchObject({
          status: 421,
          body: { status: expect.stringMatching(/not known as ".*"; .*LARDER_HOSTNAMES/) as string },
        });
      }
    }
    for (const host of ['localhost', `127.0.0.1:${ports[name]}`, '127.0.0.5', '[::1]', 'larder.example.com:443']) {
      expect({ host, ...(await send(ports[name], get(`Host: ${host}\r\n`))) }).toMatchObject({ status: 200 });
    }
  });

  it.each(servers)('%s: refuses changes from a page of another origin', async (name) => {
    const path = name === 'worker' ? '/v1/clear-stale' : '/api/v1/ttl';
    const body = name === 'worker' ? '{"op":"stop"}' : undefined;
    for (const header of ['Origin: http://evil.example', 'Origin: null', 'Sec-Fetch-Site: cross-site']) {
      const answer = await send(ports[name], post(`Host: localhost\r\n${header}\r\n`, path, body));
      expect({ header, ...answer }).toMatchObject({
        status: 403,
        body: { status: expect.stringMatching(/web page/) as string },
      });
    }
    for (const header of [
      'Origin: http://localhost:3000',
      'Origin: https://larder.example.com',
      'Sec-Fetch-Site: same-origin',
    ]) {
      const answer = await send(ports[name], post(`Host: localhost\r\n${header}\r\n`, path, body));
      expect({ header, forbidden: answer.status === 403 }).toEqual({ header, forbidden: false });
    }
  });

  it('a client cannot use the name of one of the system’s own actors', async () => {
    for (const actor of ['coordinator:admin', 'Worker:1', 'operator:root', 'static-mount-table']) {
      const answer = await cluster.api.request('POST', '/ttl', {
        body: { path: '/nope', ttlSeconds: 5 },
        headers: { 'x-larder-actor': actor },
      });
      expect({ actor, ...answer }).toMatchObject({
        status: 400,
        body: { status: expect.stringMatching(/X-Larder-Actor must not begin with/) as string },
      });
    }
  });

  it.each(servers)(
    '%s: answers 408 to a body that arrives at one byte per second, and closes the connection',
    async (name) => {
      const socket = connect(ports[name], '127.0.0.1');
      socket.on('error', () => undefined);
      await once(socket, 'connect');
      const path = name === 'worker' ? '/v1/lookup' : '/api/v1/load';
      socket.write(
        `POST ${path} HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: 500\r\n\r\n{`,
      );
      const timer = setInterval(() => socket.write(' '), 1_000);
      socket.once('close', () => clearInterval(timer));
      const answer = await text(socket);
      socket.destroy();
      expect(answer).toMatch(/^HTTP\/1\.1 408 /);
      expect(answer).toContain('{"status":"the request took too long to arrive"}');
    },
    45_000,
  );

  it('the logs record each request and the life of a job under the ids of answers and events', async () => {
    const lines = (process: string): Line[] =>
      cluster
        .logOf(process)
        .split('\n')
        .filter((line) => line.startsWith('{'))
        .map((line) => JSON.parse(line) as Line);
    const headers = { 'x-request-id': 'mount-1', 'x-larder-actor': 'alice', authorization: 'Bearer canary' };
    const options = { accessKeyId: 'a', secretAccessKey: 'canary', region: 'x', endpoint: 'http://127.0.0.1:1' };
    await cluster.api.request('POST', '/mount', { body: { path: '/s3', ufs: 's3://some-bucket', options }, headers });
    await cluster.api.mount('/docs', `file://${projectRoot()}/docs`);
    await cluster.api.request('GET', '/mount?path=/docs&token=canary');
    await cluster.api.request('POST', '/load', { body: { paths: 'canary' } });
    await cluster.api.request('POST', '/load', { body: { secretKey: 'canary' } });
    await cluster.api.request('GET', '/file_index?asOf=1');
    const submitted = await cluster.api.request<{ id: string }>('POST', '/load', {
      body: { paths: ['/docs'] },
      headers: { 'x-request-id': 'load-1' },
    });
    expect(submitted.headers['x-request-id']).toBe('load-1');
    const { id } = submitted.body;
    await cluster.api.waitForJob(id);

    const told = await eventually('the log records the job’s end', () => {
      const all = lines('coordinator-1');
      return all.some(({ msg, jobId }) => msg === 'job finished' && jobId === id) && all;
    });
    const named = (msg: string) => told.filter((line) => line.msg === msg);
    expect(named('mounted')[0]).toMatchObject({ level: 'info', path: '/s3/', requestId: 'mount-1', actor: 'alice' });
    expect(named('POST /api/v1/mount 200')[0]).toMatchObject({ level: 'info', requestId: 'mount-1', actor: 'alice' });
    expect(named('job submitted')).toEqual([
      expect.objectContaining({ level: 'info', jobId: id, requestId: 'load-1' }),
    ]);
    expect(named('job assumed')).toEqual([expect.objectContaining({ level: 'info', jobId: id, epoch: 1 })]);
    expect(named('job finished')).toEqual([expect.objectContaining({ level: 'info', jobId: id, state: 'SUCCEEDED' })]);
    expect(named('GET /api/v1/mount 200')[0]).toMatchObject({ level: 'debug', route: '/api/v1/mount', status: 200 });
    expect(named('POST /api/v1/load 400')).toHaveLength(2);
    expect(named('GET /api/v1/file_index 501')[0]).toMatchObject({ level: 'debug', code: 'no-history' });
    await eventually('the worker’s log records its batch', () =>
      lines('worker-1').some((line) => line.level === 'debug' && line.jobId === id),
    );
    for (const line of [...told, ...lines('worker-1')]) {
      expect(line.level).toMatch(/^(debug|info|warn)$/);
      expect(line.time).toBe(new Date(line.time).toISOString());
      expect(JSON.stringify(line)).not.toMatch(/canary|\[null\]/);
    }
  });
});
