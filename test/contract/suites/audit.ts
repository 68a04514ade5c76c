import { type ContractFixture, nobody } from '../support/contract-fixture.js';

/** Needs the mounts. It reads the events of the earlier suites. */
export function auditContract(fixture: ContractFixture): void {
  describe('/events', () => {
    it('returns 200 with pages of the whole log, each event once, and the same as JSON Lines', async () => {
      const pages: string[] = [];
      for (let after = '0', complete: unknown = false; complete !== true;) {
        const { status, body } = await fixture.api.get(`/events?count=500&after=${after}`);
        expect(status).toBe(200);
        pages.push(...body.results.map(({ id }) => id));
        complete = body.complete;
        after = body.lastKey!;
      }
      const lines = await fixture.api.call<{ id: string }[]>('GET', '/events?format=jsonl');
      expect(lines.headers['content-type']).toContain('application/x-ndjson');
      const ids = lines.body.map(({ id }) => id);
      // Further events may have been appended in between.
      expect(ids.slice(0, pages.length)).toEqual(pages);
      expect(new Set(ids).size).toBe(ids.length);
    });

    it('returns 200 for every filter', async () => {
      for (const query of [
        'kind=load',
        'kind=batch',
        `id=${nobody}`,
        'path=/data',
        'type=Mounted',
        'actor=anonymous',
      ]) {
        expect((await fixture.api.get(`/events?${query}&from=1&to=2199-01-01`)).status).toBe(200);
      }
      expect((await fixture.api.call('HEAD', '/events?format=jsonl')).status).toBe(200);
    });

    it.each(['kind=x', 'type=x', 'path=x', 'from=x', 'to=x', 'asOf=x', 'after=x', 'count=x', 'format=x'])(
      'returns 400 naming the parameter %s',
      async (query) => {
        const answer = await fixture.api.get(`/events?${query}`);
        expect(answer.status).toBe(400);
        expect(answer.body.status.startsWith(query.slice(0, -2))).toBe(true);
      },
    );

    it('returns 200 for the stream and 400 for a bad parameter', async () => {
      const stream = await fixture.api.call<string>('GET', '/events/stream?from=1', { until: '}\n\n' });
      expect(stream.status).toBe(200);
      expect(stream.headers['content-type']).toContain('text/event-stream');
      expect((await fixture.api.call('HEAD', '/events/stream')).status).toBe(200);
      expect((await fixture.api.get('/events/stream?lastEventId=x')).body.status).toMatch(/^lastEventId/);
    });
  });

  describe('asOf', () => {
    const routes = ['/mount', '/nodes', '/quota', '/ttl', '/priority', '/load', '/free', '/rebalance'];

    it('returns 200 on every route that answers from views, with the sequence of the answer', async () => {
      const { headers } = await fixture.api.get('/mount');
      const sequence = String(headers['x-larder-sequence']);
      for (const path of routes) {
        const answer = await fixture.api.get(`${path}?asOf=${sequence}`);
        expect(answer.status).toBe(200);
        expect(answer.headers['x-larder-as-of']).toBe(sequence);
      }
    });

    it('returns 200 for each object, and 404 as of a time before it existed', async () => {
      const { id } = (await fixture.api.get('/load')).body.results[0];
      const asOf = String((await fixture.api.get('/mount')).headers['x-larder-sequence']);
      expect((await fixture.api.get(`/load?id=${id}&asOf=${asOf}`)).body.id).toBe(id);
      expect((await fixture.api.get(`/load/${id}/failed_files?asOf=${asOf}`)).status).toBe(200);
      expect((await fixture.api.get(`/load?id=${id}&asOf=1`)).status).toBe(404);
      expect((await fixture.api.get(`/load/${id}/failed_files?asOf=1`)).status).toBe(404);
    });

    it.each(['x', '0', '999999999999', '2199-01-01'])('400: asOf=%s', async (asOf) => {
      for (const path of routes) {
        const answer = await fixture.api.get(`${path}?asOf=${asOf}`);
        expect(answer.status).toBe(400);
        expect(answer.body.status).toMatch(/^asOf/);
      }
    });

    it('returns 400 for other methods than GET, and 501 for the file index, which has no history', async () => {
      expect((await fixture.api.post('/ttl?asOf=1', { path: '/local/x', ttlSeconds: 5 })).status).toBe(400);
      expect((await fixture.api.get('/file_index?asOf=1')).status).toBe(501);
    });
  });
}
