import { type ChildProcess, spawn } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { clusterSuite } from '#testing';
import { Contract } from '../../contract/support/contract.js';
import { alsoCompile, carryOut, changedFiles, copyProject, generated } from './checklists/carry-out.js';
import { filesNamed, headings, listNames } from './checklists/page.js';

/** Specs that check all kinds, policies, routes, connectors, events and settings. */
const commonSpecs = [
  'test/architecture/architecture-page.spec.ts',
  'test/architecture/doc-links.spec.ts',
  'test/architecture/imports.spec.ts',
  'test/architecture/traces.spec.ts',
  'test/histories/histories.spec.ts',
  'libs/job-kinds/coordinator/registry.spec.ts',
  'libs/contexts/audit/presenter.spec.ts',
  'libs/contexts/catalogue/events-page.spec.ts',
  'libs/contexts/namespace/paths.spec.ts',
  'libs/contexts/namespace/http/new-policy.spec.ts',
  'libs/ufs/new-connector.spec.ts',
  'libs/ufs/open.spec.ts',
  'libs/config/describe-settings.spec.ts',
  'apps/coordinator/src/api-document.spec.ts',
  'apps/coordinator/src/documented-routes.spec.ts',
  'apps/worker/src/stores/store-keys.spec.ts',
];
const limitMs = 240_000;

describe('docs/checklists.md, carried out in a copy of the project', () => {
  const tree = join(tmpdir(), `larder-checklists-${randomUUID()}`);
  const written: Record<string, string[]> = {};
  const running: ChildProcess[] = [];

  beforeAll(() => {
    copyProject(tree);
    for (const list of listNames) written[list] = carryOut(list, tree);
  });
  afterAll(async () => {
    await Promise.all(running.map(end));
    rmSync(tree, { recursive: true, force: true, maxRetries: 3 });
  });

  /** Runs commands in the copy with this Node. @returns the exit code, and the output if the code is not 0 */
  function run(command: string): Promise<[number | null, string]> {
    const { HOME, TMPDIR } = process.env;
    const PATH = [dirname(process.execPath), process.env.PATH].join(':');
    const child = spawn('sh', ['-c', command], { cwd: tree, env: { PATH, HOME, TMPDIR } });
    running.push(child);
    let said = '';
    for (const stream of [child.stdout, child.stderr]) {
      stream.setEncoding('utf8').on('data', (text: string) => (said += text));
    }
    return new Promise((resolve) => child.once('close', (code) => resolve([code, code === 0 ? '' : said])));
  }

  it('contains exactly the lists that are carried out', () => {
    expect(headings()).toEqual(listNames);
  });

  /** The TypeScript files that the lists write. */
  const sources = (): string[] => [...new Set(Object.values(written).flat())].filter((file) => file.endsWith('.ts'));
  const specs = (): string[] => [
    ...new Set([...commonSpecs, ...sources().filter((file) => file.endsWith('.spec.ts'))]),
  ];

  it(
    'compiles, is formatted, and generates its pages',
    async () => {
      const { scripts } = JSON.parse(readFileSync(join(tree, 'package.json'), 'utf8')) as {
        scripts: Record<string, string>;
      };
      const tests = sources().filter((file) => file.startsWith('test/'));
      const restore = alsoCompile([...specs(), ...tests], tree);
      const done = await Promise.all([
        run(scripts.docs),
        run(`exec node node_modules/prettier/bin/prettier.cjs --check ${sources().join(' ')}`),
      ]);
      restore();
      expect(done).toEqual(Array(2).fill([0, '']));
    },
    limitMs,
  );

  it.each(listNames)('%s: the list names all files that were written', (list) => {
    expect(filesNamed(list).sort()).toEqual([...written[list], ...generated[list]].sort());
  });

  it('changes only files that a list names', () => {
    const named = new Set(listNames.flatMap(filesNamed));
    expect(changedFiles(tree)).toEqual([...named].sort());
  });

  it(
    'passes the tests of the project',
    async () => {
      const jest = 'exec node node_modules/jest/bin/jest.js --selectProjects unit --runInBand --silent';
      const units = specs().filter((file) => !file.endsWith('.int.spec.ts'));
      expect(await run(`${jest} --cacheDirectory "$PWD/jest-cache" --runTestsByPath ${units.join(' ')}`)).toEqual([
        0,
        '',
      ]);
    },
    limitMs,
  );

  const options = { project: tree, workers: 1, env: { LARDER_NOTE_CHARACTERS: '20' } };
  clusterSuite('running', options, ({ cluster, test }) => {
    let api: Contract;

    beforeAll(async () => {
      // The client checks each answer against the description that the coordinator serves.
      api = await Contract.with(cluster.api.baseUrl);
      await cluster.api.mount('/shelf', 'shelf://books/', { 'shelf.files': '{"a": "first", "dir/b": "second"}' });
    });
    afterAll(() => api?.close());

    test('the connector lists, loads and reads a mount, and refuses a malformed option', async () => {
      const { body } = await api.post('/load', { paths: ['/shelf'], options: { sync: true } });
      expect(body).toMatchObject({ state: 'SUCCEEDED', loadedFiles: 2, loadedBytes: 11 });
      expect((await cluster.readObject('shelf://books/dir/b'))?.toString()).toBe('second');
      const wrong = await api.post('/mount', { path: '/b', ufs: 'shelf://b/', options: { 'shelf.files': '[' } });
      expect(wrong).toMatchObject({ status: 400, body: { status: expect.stringContaining('shelf.files') as string } });
    });

    test('the job kind ends a job with its own counts', async () => {
      const { status, body } = await api.post('/count', { paths: ['/shelf'], options: { sync: true } });
      expect([status, body]).toEqual([200, expect.objectContaining({ state: 'SUCCEEDED', countedCopies: 2 })]);
      expect(body).toMatchObject({ countedBytes: 11 });
      expect((await api.get('/count')).body.results).toEqual([body]);
    });

    test('the policy can be set and listed, and is refused when it is malformed', async () => {
      expect((await api.post('/floor', { path: '/shelf/dir', copies: 2 })).status).toBe(200);
      expect((await api.get('/floor')).body).toEqual({ results: [{ path: '/shelf/dir', copies: 2 }] });
      const wrong = await api.post('/floor', { path: '/shelf/dir', copies: 0 });
      expect(wrong).toMatchObject({ status: 400, body: { status: expect.stringContaining('copies') as string } });
    });

    test('the route answers and is in the description of the API', async () => {
      const [{ id }] = cluster.workers;
      expect((await api.post('/notes', { id, note: 'slow disk' })).status).toBe(200);
      expect((await api.get('/notes')).body).toEqual({ results: [{ id, note: 'slow disk' }] });
      expect(Object.keys(api.document.paths)).toEqual(
        expect.arrayContaining(['/api/v1/notes', '/api/v1/count', '/api/v1/floor']),
      );
    });

    test('the event is shown to auditors and documented', async () => {
      const [{ id }] = cluster.workers;
      const { results } = (await api.get('/events?type=WorkerNoted')).body;
      expect(results).toMatchObject([{ kind: 'membership', data: { workerId: id, note: 'slow disk' } }]);
      expect((await api.get('/events?type=FloorSet')).body.results).toHaveLength(1);
      const page = readFileSync(join(tree, 'docs/events.md'), 'utf8');
      for (const type of ['WorkerNoted', 'FloorSet', 'FloorRemoved']) expect(page).toContain(`### ${type} (version 1)`);
    });

    test('the setting takes effect, is documented, and is refused when it is malformed', async () => {
      const note = { id: cluster.workers[0].id, note: 'more than twenty letters' };
      expect((await api.post('/notes', note)).body.status).toBe('note must not be longer than 20 characters');
      const row =
        '| `LARDER_NOTE_CHARACTERS` | `200` | a whole number from 1 to 1000 | coordinator | longest note on a worker |';
      expect(readFileSync(join(tree, 'docs/configuration.md'), 'utf8')).toContain(row);
      const sentence = 'LARDER_NOTE_CHARACTERS is "many": expected a whole number from 1 to 1000.';
      const refused = await run('LARDER_NOTE_CHARACTERS=many node dist/bin/coordinator.js');
      expect(refused).toEqual([78, expect.stringContaining(sentence)]);
    });
  });
});

async function end(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const closed = new Promise((resolve) => child.once('close', resolve));
  child.kill('SIGKILL');
  await closed;
}
