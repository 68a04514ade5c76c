import { type ContractFixture, requiredMissing } from '../support/contract-fixture.js';

/** Needs both workers. Kills one and starts it again. */
export function cacheContract(fixture: ContractFixture): void {
  describe('/cache', () => {
    const start = (body?: unknown) => fixture.api.post('/cache', body);
    const stop = (body?: unknown) => fixture.api.delete('/cache', body);

    it('returns 200 for the unchanged example of the reference and reaches all workers', async () => {
      expect(await start({ op: 'clear-stale' })).toMatchObject({ status: 200, body: { errors: {} } });
      expect(await stop({ op: 'clear-stale' })).toMatchObject({ status: 200, body: { errors: {} } });
      expect(await stop({ op: 'clear-stale' })).toMatchObject({ status: 200, body: { errors: {} } });
    });

    it('returns 200 and keeps objects that are not stale', async () => {
      const ufs = fixture.fill('fresh', 3);
      await fixture.load(['/local/fresh']);
      await start({ op: 'clear-stale' });
      expect(await fixture.isCached(`${ufs}/f0`)).toBe(true);
    });

    it.each(['clear', 'CLEAR-STALE', '../x', '__proto__'])('returns 501 for the unknown operation %j', async (op) => {
      for (const answer of [await start({ op }), await stop({ op })]) {
        expect(answer).toMatchObject({ status: 501, body: { status: 'OP not implemented' } });
      }
    });

    it.each([undefined, {}, { op: '' }, { op: null }])(
      'returns 400 when required fields are missing: %j',
      async (body) => {
        for (const answer of [await start(body), await stop(body)]) {
          expect(answer).toMatchObject({ status: 400, body: requiredMissing });
        }
      },
    );

    it('returns 400 when op is not a text', async () => {
      for (const op of [5, ['clear-stale'], { op: 'clear-stale' }, true]) {
        expect((await start({ op })).body.status).toMatch(/op/);
      }
    });

    it('returns 200 with the address of an unreachable worker and the reason in errors', async () => {
      const dead = fixture.cluster.workers[1];
      const { address } = dead;
      await dead.process.kill9();
      try {
        for (const answer of [await start({ op: 'clear-stale' }), await stop({ op: 'clear-stale' })]) {
          expect(answer.status).toBe(200);
          expect(Object.keys(answer.body.errors)).toEqual([address]);
          expect(answer.body.errors[address]).toMatch(/ECONNREFUSED|does not answer/);
        }
      } finally {
        await dead.process.start();
        await fixture.cluster.untilOnline(2);
      }
    });
  });
}
