import { type ContractFixture, requiredMissing } from '../support/contract-fixture.js';

const off = { status: 'Global file index is not enabled' };

/** Needs the mount `/local`. */
export function fileIndexContract(fixture: ContractFixture): void {
  const list = async (query = ''): Promise<string[]> =>
    texts((await fixture.api.get(`/file_index${query}`)).body.results);

  describe('/file_index', () => {
    it('returns 200 for the unchanged examples of the reference, with counts of entries that changed', async () => {
      const example = { files: ['s3://foo/bar/f1', 's3://foo/bar/f2'] };
      expect((await fixture.api.post('/file_index', example)).body).toEqual({ entries: 2 });
      expect(await list()).toEqual(expect.arrayContaining(example.files));
      expect((await fixture.api.post('/file_index', { files: [...example.files, 's3://foo/bar/f3'] })).body).toEqual({
        entries: 1,
      });
      expect((await fixture.api.delete('/file_index', example)).body).toEqual({ entries: 2 });
      expect((await fixture.api.delete('/file_index', example)).body).toEqual({ entries: 0 });
      expect((await fixture.api.delete('/file_index', { files: ['s3://foo/bar/f3'] })).body).toEqual({ entries: 1 });
      expect((await list()).filter((file) => file.startsWith('s3://foo/'))).toEqual([]);
    });

    it('returns 200 with the entries that load and free have changed', async () => {
      const ufs = fixture.fill('indexed', 7);
      const own = async () => (await list()).filter((file) => file.startsWith(ufs));
      await fixture.load(['/local/indexed']);
      expect(await own()).toEqual(Array.from({ length: 7 }, (_, i) => `${ufs}/f${i}`));
      await fixture.free(['/local/indexed/f3']);
      expect(await own()).toHaveLength(6);
      await fixture.free(['/local/indexed']);
      expect(await own()).toEqual([]);
    });

    it('returns 200 for namespace paths and UFS paths, and keeps odd names unchanged', async () => {
      const names = ['duck \u{1f986}', 'caf\u00e9', 'cafe\u0301', 'a%2Fb', 'plus+ &?#'];
      const files = names.map((name) => `/local/odd/${name}`);
      expect((await fixture.api.post('/file_index', { files })).body).toEqual({ entries: names.length });
      const listed = await list();
      for (const name of names) expect(listed).toContain(`file://${fixture.scratch}/local/odd/${name}`);
      expect((await fixture.api.delete('/file_index', { files })).body).toEqual({ entries: names.length });
    });

    it('returns 200 with pages by count and lastKey that add up to the whole list', async () => {
      const files = Array.from({ length: 25 }, (_, i) => `s3://foo/paged/${String(i).padStart(3, '0')}`);
      await fixture.api.post('/file_index', { files });
      const whole = await list();
      const paged: string[] = [];
      for (let lastKey: string | undefined = ''; lastKey !== undefined;) {
        const after = lastKey === '' ? '' : `&lastKey=${encodeURIComponent(lastKey)}`;
        const { body } = await fixture.api.get(`/file_index?count=7${after}`);
        expect(body.results.length).toBeLessThanOrEqual(7);
        paged.push(...texts(body.results));
        lastKey = body.lastKey;
      }
      expect(paged).toEqual(whole);
      expect((await fixture.api.delete('/file_index', { files })).body).toEqual({ entries: 25 });
    });

    it.each([undefined, {}, { files: null }])('returns 400 when required fields are missing: %j', async (body) => {
      expect(await fixture.api.post('/file_index', body)).toMatchObject({ status: 400, body: requiredMissing });
      expect(await fixture.api.delete('/file_index', body)).toMatchObject({ status: 400, body: requiredMissing });
    });

    it.each<[Record<string, unknown>, RegExp]>([
      [{ files: 's3://foo/f' }, /files/],
      [{ files: [5] }, /files/],
      [{ files: [''] }, /files/],
      [{ files: ['s3://foo/a', 'relative'] }, /files\[1\]/],
      [{ files: ['/nowhere/f'] }, /files\[0\]/],
      [{ files: ['s3://foo/../x'] }, /files\[0\]/],
      [{ files: ['s3://foo/a\u0007'] }, /files\[0\]/],
      [{ files: Array.from({ length: 10_001 }, () => 's3://foo/f') }, /files/],
    ])('returns 400 naming the field: %.60j', async (body, reason) => {
      for (const answer of [
        await fixture.api.post('/file_index', body),
        await fixture.api.delete('/file_index', body),
      ]) {
        expect(answer.status).toBe(400);
        expect(answer.body.status).toMatch(reason);
      }
    });

    it('returns 400 for GET with bad paging parameters', async () => {
      expect((await fixture.api.get('/file_index?count=-1')).body.status).toMatch(/count/);
    });

    it('returns 404 when the file index is switched off, before other errors of the request', async () => {
      const files = ['s3://foo/bar/f1'];
      expect(await fixture.offApi.get('/file_index')).toMatchObject({ status: 404, body: off });
      for (const body of [{ files }, {}, undefined]) {
        expect(await fixture.offApi.post('/file_index', body)).toMatchObject({ status: 404, body: off });
        expect(await fixture.offApi.delete('/file_index', body)).toMatchObject({ status: 404, body: off });
      }
    });
  });
}

/** Only in this list are the entries texts. */
function texts(results: unknown[]): string[] {
  return results as string[];
}
