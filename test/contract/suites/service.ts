import { apiDocument } from '#contexts/api-docs';
import { jobKindDocs } from '#job-kinds/coordinator';
import { ok, type ContractFixture } from '../support/contract-fixture.js';

export function serviceContract(fixture: ContractFixture): void {
  describe('the service itself', () => {
    it('openapi.json returns the API’s document', async () => {
      expect((await fixture.api.get('/openapi.json')).body).toEqual(
        JSON.parse(JSON.stringify(apiDocument(jobKindDocs))),
      );
    });

    it('docs returns a page that shows every route and may load nothing', async () => {
      const answer = await fixture.api.call<string>('GET', '/docs');
      for (const { operation } of fixture.api.operations())
        expect(answer.body).toContain(`id="${operation.operationId}"`);
      expect(answer.headers['content-security-policy']).toContain("default-src 'none'");
      expect(answer.body).not.toMatch(/<script|<link|<img/i);
    });

    it('healthz and readyz return 200', async () => {
      expect((await fixture.api.get('//healthz')).body).toEqual(ok);
      expect((await fixture.api.get('//readyz')).body).toEqual({
        status: 'ok',
        sequence: expect.any(Number) as number,
      });
    });

    it('every answer carries a sequence, and a read with that sequence sees the write', async () => {
      const { headers } = await fixture.api.post('/ttl', { path: '/local/seq', ttlSeconds: 5 });
      const sequence = String(headers['x-larder-sequence']);
      const answer = await fixture.api.get('/ttl?path=/local/seq', { 'x-larder-sequence': sequence });
      expect(answer.body).toEqual({ path: '/local/seq', ttlSeconds: 5 });
      await fixture.api.delete('/ttl', { path: '/local/seq' });
    });
  });
}
