import { type ContractFixture } from '../support/contract-fixture.js';
import { targets, withField } from './hostile.js';

/** Each field of a request has an effect, or the answer names it. Needs the mounts `/data` and `/local`. */
export function namesContract(fixture: ContractFixture): void {
  describe.each(targets)('misspelt fields of $method $path', ({ method, path, body, fields }) => {
    it.each(Object.keys(fields))('returns 400 for a misspelt %s, with the field that may be meant', async (field) => {
      for (const slip of slipsOf(field)) {
        const answer = await fixture.api.call(method, path, { body: withField(body, slip, 'x') });
        expect({ slip, ...answer }).toMatchObject({ status: 400 });
        expect(answer.body.status).toContain(slip);
        expect(answer.body.status).toMatch(new RegExp(`did you mean ${field.split('.')[0]}`));
      }
    });
  });

  it('returns 400 for a misspelt query parameter on every route that has it, and names other unknown ones', async () => {
    const reads = fixture.api
      .operations()
      .filter(({ method, path }) => method === 'get' && path.startsWith('/api/v1/'));
    expect(reads.length).toBeGreaterThan(12);
    for (const { path, operation } of reads) {
      const route = path.slice('/api/v1'.length).replace('{id}', 'x');
      const names = (operation.parameters ?? []).filter((one) => one.in === 'query').map(({ name }) => name);
      for (const name of names.filter((one) => one.length > 2)) {
        const answer = await fixture.api.get(`${route}?${name}x=1`);
        expect({ route, name, ...answer }).toMatchObject({ status: 400 });
        expect(answer.body.status).toContain(`${name}x is not known here: did you mean ${name}?`);
      }
      if (route === '/events/stream') continue;
      const answer = await fixture.api.get(`${route}?progressFormat=JSON&unknown-one=1`);
      expect(answer.headers['x-larder-ignored']).toBe('progressFormat,unknown-one');
      const isStreamed = ['/openapi.json', '/docs', '/file_index'].includes(route);
      if (answer.status === 200 && !isStreamed) expect(answer.body.ignored).toEqual(['progressFormat', 'unknown-one']);
    }
  });

  it('an answer about one job names parameters that apply only to lists', async () => {
    const done = await fixture.load(['/data/dir/to/path/small/00']);
    const answer = await fixture.api.get(`/load?id=${done.id}&state=FAILED&alias=x&count=5`);
    expect(answer.body).toMatchObject({ id: done.id, ignored: ['alias', 'state', 'count'] });
  });

  it('a stop by id ignores a target beside it, and names the ignored field', async () => {
    const { body } = await fixture.api.post('/rebalance', { target: 'ALL' });
    const answer = await fixture.api.delete('/rebalance', { id: body.id, target: 'ALL' });
    if (answer.status === 200) expect(answer.body.ignored).toEqual(['target']);
    else expect(answer.status).toBe(410);
    await fixture.jobEnd('rebalance', body.id);
    await fixture.api.post('/rebalance', { target: 'ALL' }).then((again) => fixture.jobEnd('rebalance', again.body.id));
  });
}

/** One letter more, two letters swapped, or another case. No result is a field's name. Short names change only in case. */
function slipsOf(field: string): string[] {
  const name = field.split('.').at(-1)!;
  const swapped = field.replace(/(.)(.)$/, '$2$1');
  const upper = field.slice(0, -name.length) + name.toUpperCase();
  if (name.length <= 2) return [upper];
  return swapped === field ? [`${field}z`, upper] : [`${field}z`, swapped, upper];
}
