import { type ApiClient, clusterSuite } from '#testing';
import { everything, StreamClient } from './support/event-client.js';

const keyOf = ({ sequence, index }: { sequence: number; index: number }) => `${sequence}.${index}`;

// A stop waits for balancers, and streams end without waiting for it.
const options = { coordinators: 2, workers: 1, env: { LARDER_DRAIN_MS: '2000' } };

clusterSuite('the stream of events', options, ({ cluster, test }) => {
  let written = 0;
  const clients: StreamClient[] = [];

  beforeAll(async () => {
    await cluster.api.mount('/data', `file://${cluster.directory}`);
  });

  afterEach(() => {
    for (const client of clients.splice(0)) client.close();
  });

  async function open(...call: Parameters<typeof StreamClient.open>): Promise<StreamClient> {
    const client = await StreamClient.open(...call);
    clients.push(client);
    return client;
  }

  /** Writes one event. @returns its sequence */
  async function write(api: ApiClient = cluster.api, actor = 'tester'): Promise<number> {
    const answer = await api.request('POST', '/ttl', {
      body: { path: `/data/d${written++ % 7}`, ttlSeconds: 1000 + written },
      headers: { 'x-larder-actor': actor, 'x-forwarded-for': '203.0.113.9' },
    });
    expect(answer.status).toBe(200);
    return Number(answer.headers['x-larder-sequence']);
  }

  const reached = (client: StreamClient, sequence: number) =>
    client.until(`event ${sequence}`, () => client.events.some((event) => event.sequence >= sequence));

  test('sends events from now on, in the form of /events, and no older ones', async () => {
    const before = await write();
    const client = await open(cluster.api);
    expect(client.headers['content-type']).toContain('text/event-stream');
    const first = await write(cluster.coordinators[1].api);
    const last = await write();
    await reached(client, last);
    expect(client.events).toEqual(await everything(cluster.api, { from: before + 1 }));
    expect(client.events[0]).toMatchObject({ sequence: first, actor: 'tester', type: 'TtlSet' });
    // Without the setting for trusted proxies, the coordinator ignores forwarded addresses.
    expect(client.events[0].source).toMatch(/127\.0\.0\.1$/);
    expect(client.lastEventId).toMatch(new RegExp(`^${last}(\\.0)?$`));
  });

  test('accepts filters and a starting point', async () => {
    const from = await write();
    await write(cluster.api, 'somebody-else');
    const client = await open(cluster.api, { from: String(from), actor: 'somebody-else', kind: 'namespace' });
    const last = await write(cluster.api, 'somebody-else');
    await reached(client, last);
    expect(client.events).toHaveLength(2);
    const whole = await open(cluster.api, { from: '1' });
    await reached(whole, last);
    expect(whole.events).toEqual(await everything(cluster.api, { to: last }));
  });

  it.each([
    ['lastEventId=x', /^lastEventId must be/],
    ['lastEventId=999999999', /^lastEventId lies behind the log's end/],
    ['from=999999999', /^from lies behind the log's end/],
    ['to=5', /^to cannot be given here/],
    ['asOf=5', /^asOf cannot be given here/],
    ['kind=nothing', /^kind must be/],
  ])('400 for %s', async (query, sentence) => {
    const { status, body } = await cluster.api.request('GET', `/events/stream?${query}`);
    expect(status).toBe(400);
    expect(body.status).toMatch(sentence);
  });

  test('continues through another coordinator after its own is killed, without loss or duplicates', async () => {
    const [first, second] = cluster.coordinators;
    const start = await write(second.api);
    const client = await open(first.api, { from: String(start) });
    let last = 0;
    for (let i = 0; i < 20; i++) last = await write(second.api);
    await reached(client, start + 5);
    await first.process.kill9();
    await client.over;
    for (let i = 0; i < 20; i++) last = await write(second.api);
    // A browser also sends the query of its first request.
    const resumed = await open(second.api, { from: String(start) }, { 'last-event-id': client.lastEventId });
    await reached(resumed, last);
    const seen = [...client.events, ...resumed.events].map(keyOf);
    expect(seen).toEqual((await everything(second.api, { from: start })).map(keyOf));
    expect(new Set(seen).size).toBe(seen.length);
    await first.process.start();
  });

  test('continues on the open connection after NATS is killed and started again, without loss or duplicates', async () => {
    const start = await write();
    const client = await open(cluster.api, { from: String(start) });
    await reached(client, start);
    for (let round = 0; round < 2; round++) {
      await cluster.nats.kill9();
      await cluster.nats.restart();
      let last: number | undefined;
      while (last === undefined) {
        const answer = await cluster.api.request('POST', '/ttl', {
          body: { path: '/data/n', ttlSeconds: 1 + written++ },
        });
        if (answer.status === 200) last = Number(answer.headers['x-larder-sequence']);
        else expect(answer.status).toBe(503);
      }
      await reached(client, last);
    }
    const events = await everything(cluster.api, { from: start });
    expect(client.events.map(keyOf)).toEqual(events.map(keyOf).slice(0, client.events.length));
    expect(client.events.length).toBeGreaterThanOrEqual(3);
  });

  test('ends at once when its coordinator is told to stop', async () => {
    const [first, second] = cluster.coordinators;
    const client = await open(first.api);
    const since = performance.now();
    expect(await first.process.stop()).toEqual({ code: 0, signal: null });
    expect(performance.now() - since).toBeLessThan(10_000);
    await client.over;
    const last = await write(second.api);
    const resumed = await open(second.api, { lastEventId: client.lastEventId });
    await reached(resumed, last);
    await first.process.start();
  });
});
