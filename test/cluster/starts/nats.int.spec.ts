import { randomBytes } from 'node:crypto';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import {
  clusterSuite,
  eventually,
  freePorts,
  ManagedProcess,
  projectRoot,
  startTestNats,
  type TestNats,
} from '#testing';
import { mains, run, testKeys } from './support/run.js';

interface Line {
  readonly level: string;
  readonly time: string;
  readonly msg: string;
}

const linesOf = (process: ManagedProcess): Line[] =>
  process
    .log()
    .split('\n')
    .filter((line) => line.startsWith('{'))
    .map((line) => JSON.parse(line) as Line);

async function readiness(port: number): Promise<{ code: number; status: string; warnings?: string[] } | undefined> {
  const answer = await fetch(`http://127.0.0.1:${port}/readyz`).catch(() => undefined);
  return answer && { code: answer.status, ...((await answer.json()) as { status: string }) };
}

describe('a start against NATS', () => {
  let scratch: string;
  const started: ManagedProcess[] = [];
  beforeAll(() => void (scratch = mkdtempSync(join(tmpdir(), 'larder-starts-'))));
  afterEach(() => Promise.all(started.splice(0).map((process) => process.kill9())));
  afterAll(() => rmSync(scratch, { recursive: true, force: true }));

  async function launch(app: 'coordinator' | 'worker', env: Record<string, string>) {
    const [port] = await freePorts(1);
    const process = new ManagedProcess({
      name: app,
      script: join(projectRoot(), mains[app]),
      env: {
        ...{ LARDER_PORT: String(port), LARDER_WORKER_PORT: String(port), LARDER_SECRET_KEYS: testKeys },
        ...{ LARDER_CACHE_DIR: join(scratch, `cache-${port}`), ...env },
      },
      logFile: join(scratch, `${app}-${port}.log`),
      isReady: async () => (await readiness(port))?.code === 200,
    });
    started.push(process);
    process.launch();
    return { process, port };
  }

  it.each(['coordinator', 'worker'] as const)(
    'a %s logs repeatedly which address it tries and why the attempt fails',
    async (app) => {
      const [away] = await freePorts(1);
      const url = `nats://t0ken-canary@127.0.0.1:${away},nats://127.0.0.1:1`;
      const { process, port } = await launch(app, { LARDER_NATS_URL: url });
      const warnings = () => linesOf(process).filter(({ level, msg }) => level === 'warn' && msg.includes(`:${away}`));
      await eventually('four warnings are logged', () => warnings().length >= 4, { timeoutMs: 40_000 });
      // connect-attempts.spec tests how the pauses grow: it has a clock of its own.
      const [first] = warnings().map(({ time }) => Date.parse(time));
      const begun = linesOf(process).find(({ msg }) => msg.startsWith(`connecting to NATS at 127.0.0.1:${away}`))!;
      expect(first - Date.parse(begun.time)).toBeLessThan(4_000);
      expect(warnings()[0].msg).toMatch(/does not answer: .*(refused|REFUSED)/);
      expect(await readiness(port)).toMatchObject({
        code: 503,
        status: expect.stringMatching(new RegExp(`NATS at 127.0.0.1:${away}, 127.0.0.1:1 does not answer`)) as string,
      });
      expect(process.log()).not.toContain('canary');
    },
    90_000,
  );

  describe('with a token', () => {
    let nats: TestNats;
    beforeAll(async () => void (nats = await startTestNats({ token: 'r1ght' })));
    afterAll(() => nats?.stop());

    it.each(['coordinator', 'worker', 'standalone', 'cli'] as const)(
      'a wrong or missing token ends the %s with one sentence and exit code 78',
      async (app) => {
        for (const credentials of ['wr0ng-canary@', 'someone:wr0ng-canary@', '']) {
          const [port] = await freePorts(1);
          const ended = await run(mains[app], {
            args: app === 'cli' ? ['audit', 'verify'] : [],
            env: {
              ...{ LARDER_NATS_URL: `nats://${credentials}127.0.0.1:${nats.port}`, LARDER_PORT: String(port) },
              ...{ LARDER_WORKER_PORT: '0', LARDER_DATA_DIR: join(scratch, `data-${port}`) },
              // The command line needs no keys, and standalone creates its own.
              ...(app === 'coordinator' || app === 'worker' ? { LARDER_SECRET_KEYS: testKeys } : {}),
            },
          });
          expect(ended).toMatchObject({ code: 78, signal: null });
          const text = app === 'standalone' ? ended.stdout : ended.stderr;
          expect(text).toMatch(/127\.0\.0\.1:\d+ refuses the credentials.*LARDER_NATS_URL/);
          expect(ended.stdout + ended.stderr).not.toMatch(/canary|\n\s+at /);
        }
      },
      60_000,
    );

    it('a token that a restarted NATS refuses is reported by the log and /readyz until NATS accepts it again', async () => {
      const { process, port } = await launch('coordinator', { LARDER_NATS_URL: nats.url });
      const worker = await launch('worker', { LARDER_NATS_URL: nats.url });
      await Promise.all([process.untilReady(), worker.process.untilReady()]);
      await nats.kill9();
      const other = await startTestNats({ token: 'an0ther', port: nats.port });
      for (const one of [{ process, port }, worker]) {
        await eventually('its readiness names the credentials', async () =>
          (await readiness(one.port))?.status.includes('refuses the credentials'),
        );
        await eventually('its log does', () =>
          linesOf(one.process).some(({ level, msg }) => level === 'error' && msg.includes('refuses the credentials')),
        );
        expect(one.process.running).toBe(true);
      }
      await other.stop();
      await nats.restart();
      await Promise.all([process.untilReady(), worker.process.untilReady()]);
    }, 90_000);
  });

  it('a coordinator that has reached NATS does not report that NATS does not answer', async () => {
    const nats = await startTestNats();
    try {
      const { process, port } = await launch('coordinator', { LARDER_NATS_URL: nats.url, LARDER_NATS_REPLICAS: '1' });
      await process.untilReady();
      await process.kill9();
      process.launch();
      const said = new Set<string>();
      await eventually(
        'it is ready again',
        async () => {
          const answer = await readiness(port);
          if (answer?.code === 503) said.add(answer.status);
          return answer?.code === 200;
        },
        { everyMs: 1 },
      );
      const reached = linesOf(process).length;
      expect(reached).toBeGreaterThan(0);
      for (const status of said) {
        expect(status).toMatch(/has not answered yet|is starting|streams|log is being|snapshot|preparations|caught up/);
      }
    } finally {
      await nats.stop();
    }
  }, 60_000);
});

// The log is signed with separate keys: with other signing keys, a process would not even start.
const signingKeys = { LARDER_SIGNING_KEYS: `signing:${randomBytes(32).toString('base64')}` };
const oneWorker = { workers: 1, env: signingKeys };

clusterSuite('a process without the key that sealed the mounts', oneWorker, ({ cluster }) => {
  const otherBytes = `test:${randomBytes(32).toString('base64')}`;
  const options = { accessKeyId: 'larder', secretAccessKey: 'canary', endpoint: 'http://127.0.0.1:1', region: 'x' };

  beforeAll(() => cluster.api.mount('/old', 's3://old-bucket', options));

  const processes = () => [
    { process: cluster.coordinators[0].process, port: () => Number(new URL(cluster.api.baseUrl).port) },
    { process: cluster.workers[0].process, port: workerPort },
  ];

  /** The worker's port since its last start, whether it is ready or not. */
  function workerPort(): number {
    const { process } = cluster.workers[0];
    return Number(/"address":"127\.0\.0\.1:(\d+)".*"worker listens"/.exec(process.log())?.[1] ?? 1);
  }

  async function restartWith(keys: string): Promise<void> {
    for (const { process } of processes()) {
      await process.stop();
      process.overrides.LARDER_SECRET_KEYS = keys;
      process.launch();
    }
  }

  it.each([
    [
      'other ids',
      `other:${randomBytes(32).toString('base64')}`,
      /mount \/old\/ .* key 'test', which LARDER_SECRET_KEYS does not hold/,
    ],
    ['other bytes under the same id', otherBytes, /mount \/old\/ .* another key than the 'test'/],
  ])(
    '%s: is not ready and names the key that each mount needs',
    async (_what, keys, sentence) => {
      await restartWith(keys);
      for (const one of processes()) {
        const answer = await eventually('the process is not ready because a key is missing', async () => {
          const found = await readiness(one.port());
          return found?.status.includes('no mount can be opened') && found;
        });
        expect(answer).toMatchObject({ code: 503, status: expect.stringMatching(sentence) as string });
        await eventually('its log reports the missing key', () =>
          linesOf(one.process).some(({ level, msg }) => level === 'error' && sentence.test(msg)),
        );
        expect(one.process.log()).not.toContain('canary');
      }
    },
    60_000,
  );

  it('the coordinator stays ready and shows a warning when it cannot open one of two mounts', async () => {
    await restartWith(otherBytes);
    await eventually('the coordinator answers', async () =>
      (await readiness(processes()[0].port()))?.status.includes('no mount can be opened'),
    );
    await cluster.api.mount('/new', 's3://new-bucket', options);
    for (const one of processes()) {
      const answer = await eventually('it is ready', async () => {
        const found = await readiness(one.port());
        return found?.code === 200 && found;
      });
      expect(answer.warnings).toEqual([expect.stringMatching(/mount \/old\/ .* another key than the 'test'/)]);
    }
  }, 60_000);
});
