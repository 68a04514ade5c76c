import { type ContractFixture, requiredMissing } from '../support/contract-fixture.js';

const notFound = { status: 'worker not found...' };

/** Needs both workers ONLINE. */
export function nodesContract(fixture: ContractFixture): void {
  describe('/nodes', () => {
    it('returns 200 with the list in `result`, and with each node by its id', async () => {
      const { body } = await fixture.api.get('/nodes');
      expect(body.result).toHaveLength(2);
      for (const { id, address } of fixture.cluster.workers) {
        const { body: node } = await fixture.api.get(`/nodes?id=${id}`);
        expect(node).toMatchObject({ identity: id, address, status: 'ONLINE' });
        expect(body.result).toContainEqual(expect.objectContaining({ identity: id, address, status: 'ONLINE' }));
      }
    });

    it.each(['worker-54b88939-de49-46ef-acab-fe489f46d1a0', 'ALL', '..', '%00', '__proto__', 'constructor'])(
      'returns 404 for the unknown worker %s',
      async (id) => {
        expect(await fixture.api.get(`/nodes?id=${id}`)).toMatchObject({ status: 404, body: notFound });
        expect(await fixture.api.delete(`/nodes?id=${id}`)).toMatchObject({ status: 404, body: notFound });
      },
    );

    it('returns 400 for DELETE without an id', async () => {
      for (const query of ['', '?id=', '?other=1']) {
        expect(await fixture.api.delete(`/nodes${query}`)).toMatchObject({ status: 400, body: requiredMissing });
      }
    });
  });
}
