import { forgedMark } from '../harness/stranger.js';
import type { FinalJob, Logged, Outcome } from '../harness/collect.js';
import type { Call, Fault } from '../harness/history.js';
import type { Sources } from '../harness/sources.js';
import { checks, type Evidence } from './index.js';

let clock = 0;
let calls = 0;

/** A call. By default it ended before the next one began. */
function call(given: Partial<Call> & { status?: number; told?: unknown; sequence?: number; stale?: boolean }): Call {
  const { status = 200, told = {}, sequence, stale = false, ...rest } = given;
  const startMs = (clock += 10);
  const answer = 'lost' in given ? undefined : { status, sequence, stale, body: told };
  const id = `call-${++calls}`;
  const base = { client: 0, coordinator: 0, id, method: 'GET', path: '/mount', startMs, endMs: startMs + 5 } as const;
  return { ...base, answer, ...rest };
}

const refused = (startMs: number, endMs: number) => call({ lost: 'connect ECONNREFUSED 127.0.0.1:1', startMs, endMs });

let sequence = 0;
function commit(boundary: string, type: string, data: unknown, requestId = 'other', atMs = 0): Logged {
  const at = new Date(performance.timeOrigin + atMs).toISOString();
  return { sequence: ++sequence, boundary, chained: true, events: [{ id: `e${sequence}`, type, requestId, at, data }] };
}

const file = (name: string) => ({ path: `s3://kept/t0/${name}`, sizeBytes: 1, sha256: `hash of ${name}` });
const sources: Sources = {
  buckets: {},
  kept: [{ path: '/kept/t0', files: [file('a'), file('b')] }],
  freed: [],
  wide: [],
  large: [],
  policyRoot: '',
  churnRoots: [],
  mounts: [],
};
const cached = new Map([
  ['s3://kept/t0/a', ['hash of a']],
  ['s3://kept/t0/b', ['hash of b']],
]);

function evidence(given: Partial<Omit<Evidence, 'outcome'>> & { outcome?: Partial<Outcome> }): Evidence {
  const { outcome, ...rest } = given;
  const nothing: Outcome = {
    log: [],
    void: [],
    forged: { madeUp: new Set(), sent: new Set() },
    jobs: [],
    answers: {},
    copies: cached,
    versions: new Map(),
    s3Reads: new Map(),
    leaks: [],
    strays: [],
  };
  return { calls: [], faults: [], accidents: [], sources, ...rest, outcome: { ...nothing, ...outcome } };
}

const job = (...told: Record<string, unknown>[]): FinalJob => ({ id: 'j1', kind: 'load', told });
const loaded = { state: 'SUCCEEDED', paths: ['/kept/t0'], scannedFiles: 2, loadedFiles: 2 };
const submitted = (jobId: string, requestId?: string) =>
  commit('slot.load.x', 'JobSubmitted', { jobId, kind: 'load', target: 't' }, requestId);
const mounted = (path: string, ufs: string, requestId?: string) =>
  commit('namespace', 'Mounted', { path, ufs }, requestId);
const mounts = (...entries: [string, string][]) => ({ results: entries.map(([path, ufs]) => ({ path, ufs })) });

const events = (of: readonly Logged[]) => ({
  results: of.flatMap(({ sequence: at, events: some }) => some.map(({ id, type }) => ({ sequence: at, id, type }))),
});

/** An object that was replaced once, with these copies at the end. */
function replaced(copies: string[]): Evidence {
  const path = 's3://large/t0/0.dat';
  const versions = new Map([[path, ['first', 'second']]]);
  return evidence({ outcome: { versions, copies: new Map([...cached, [path, copies]]) } });
}

/** A load of a kept target that takes this long, submitted while the other store hangs. */
function besideSick(tookMs: number | undefined, another?: string, kind: FinalJob['kind'] = 'load'): Evidence {
  const fault = (name: string): Fault => ({ kind: name, victims: ['x'], startMs: 1_000, endMs: 9_000 });
  const log = [commit('slot.load.x', 'JobSubmitted', { jobId: 'j1', kind, target: 't' }, undefined, 3_000)];
  if (tookMs !== undefined) log.push(commit('job.j1', 'JobFinished', {}, undefined, 3_000 + tookMs));
  const faults = [fault('s3-hang-one'), ...(another === undefined ? [] : [fault(another)])];
  return evidence({ faults, outcome: { log, jobs: [{ ...job(loaded), kind }] } });
}

/** By check: evidence that keeps the promise, and evidence that breaks it. */
const cases: Record<string, { kept: () => Evidence[]; broken: () => Evidence[] }> = {
  noAccidents: {
    kept: () => [evidence({})],
    broken: () => [evidence({ accidents: ['worker-1 ended by itself'] })],
  },
  nothingHangs: {
    kept: () => {
      const slow = call({ startMs: 0, endMs: 17_000, coordinator: 1 });
      const pause: Fault = { kind: 'pause-coordinator', victims: ['coordinator-2'], startMs: 1, endMs: 16_000 };
      return [evidence({ calls: [slow], faults: [pause] }), evidence({ calls: [call({ startMs: 0, endMs: 14_000 })] })];
    },
    broken: () => {
      const slow = call({ startMs: 0, endMs: 17_000 });
      const others: Fault[] = [
        { kind: 'pause-coordinator', victims: ['coordinator-2'], startMs: 1, endMs: 16_000 },
        { kind: 'kill-nats', victims: ['nats-0'], startMs: 1, endMs: 16_000 },
      ];
      return [evidence({ calls: [slow] }), evidence({ calls: [slow], faults: others })];
    },
  },
  leaversAnswer: {
    kept: () => {
      const roll: Fault = { kind: 'roll-coordinator', victims: ['coordinator-1'], startMs: 50, endMs: 900 };
      const kill: Fault = { kind: 'kill-coordinator', victims: ['coordinator-1'], startMs: 60, endMs: 900 };
      const [late, killed] = [60, 40].map((startMs) => call({ lost: 'reset', startMs, endMs: 70 }));
      return [
        evidence({ calls: [late], faults: [roll] }),
        evidence({ calls: [killed], faults: [roll, kill] }),
        evidence({ calls: [call({ lost: 'reset', startMs: 40, endMs: 70, coordinator: 1 })], faults: [roll] }),
        evidence({ calls: [refused(20, 21), refused(49, 51)], faults: [roll] }),
      ];
    },
    broken: () => {
      const roll: Fault = { kind: 'roll-coordinator', victims: ['coordinator-1'], startMs: 50, endMs: 900 };
      return [
        evidence({ calls: [call({ lost: 'reset', startMs: 40, endMs: 70 })], faults: [roll] }),
        evidence({ calls: [call({ startMs: 20, endMs: 21 }), refused(49, 51)], faults: [roll] }),
        evidence({ calls: [refused(20, 21), call({ startMs: 30, endMs: 31 }), refused(49, 51)], faults: [roll] }),
      ];
    },
  },
  onlyKnownStatuses: {
    kept: () => [evidence({ calls: [call({ status: 503 }), call({ lost: 'reset' })] })],
    broken: () => [evidence({ calls: [call({ status: 500 })] })],
  },
  neverNotFound: {
    kept: () => [evidence({ calls: [call({ path: '/load', status: 404 })] })],
    broken: () => [evidence({ calls: [call({ path: '/load?id=j1', status: 404 })] })],
  },
  acknowledgedOnce: {
    kept: () => {
      const post = call({ method: 'POST', path: '/load' });
      const lost = call({ method: 'POST', path: '/mount', lost: 'reset' });
      const log = [submitted('j1', post.id), mounted('/a', 'file:///a', lost.id)];
      // Commands that waited for their turn together are one commit.
      const [first, second] = [submitted('j1', 'other'), submitted('j2', post.id)];
      const together = [{ ...first, events: [...first.events, ...second.events] }];
      return [
        evidence({ calls: [post, lost], outcome: { log } }),
        evidence({ calls: [lost] }),
        evidence({ calls: [post], outcome: { log: together } }),
      ];
    },
    broken: () => {
      const post = call({ method: 'POST', path: '/load' });
      const refused = call({ method: 'POST', path: '/mount', status: 409 });
      return [
        evidence({ calls: [post] }),
        evidence({ calls: [post], outcome: { log: [submitted('j1', post.id), submitted('j2', post.id)] } }),
        evidence({ calls: [refused], outcome: { log: [mounted('/a', 'file:///a', refused.id)] } }),
      ];
    },
  },
  chainUnbroken: {
    kept: () => [evidence({ outcome: { log: [mounted('/a', 'file:///a')] } })],
    broken: () => [evidence({ outcome: { log: [{ ...mounted('/a', 'file:///a'), chained: false }] } })],
  },
  everyJobEnds: {
    kept: () => [evidence({ outcome: { jobs: [job({ state: 'FAILED' }, { state: 'FAILED' })] } })],
    broken: () => [evidence({ outcome: { jobs: [job({ state: 'SUCCEEDED' }, { state: 'RUNNING' })] } })],
  },
  allAgree: {
    kept: () => [evidence({ outcome: { jobs: [job(loaded, loaded)], answers: { '/mount': [[], []] } } })],
    broken: () => [
      evidence({ outcome: { jobs: [job(loaded, { ...loaded, loadedFiles: 1 })] } }),
      evidence({ outcome: { answers: { '/mount': [[], [{ path: '/a' }]] } } }),
    ],
  },
  oneWinner: {
    kept: () => {
      const log = [submitted('j1'), commit('job.j1', 'JobFinished', {}), submitted('j2')];
      return [
        evidence({ outcome: { log, jobs: [job(loaded)] }, calls: [call({ method: 'POST', told: { id: 'j1' } })] }),
      ];
    },
    broken: () => [
      evidence({ outcome: { log: [submitted('j1'), submitted('j2')] } }),
      evidence({ calls: [call({ method: 'POST', path: '/load', status: 409, told: { id: 'nobody' } })] }),
    ],
  },
  countersNeverFall: {
    kept: () => {
      const path = '/load?id=j1';
      const more = [1, 2].map((loadedFiles) => call({ path, told: { loadedFiles } }));
      const together = [2, 1].map((loadedFiles) => call({ path, told: { loadedFiles }, startMs: 1, endMs: 9 }));
      return [evidence({ calls: more }), evidence({ calls: together })];
    },
    broken: () => {
      const path = '/load?id=j1';
      const ends = ['SUCCEEDED', 'RUNNING'].map((state) => call({ path, told: { state } }));
      return [
        evidence({ calls: [2, 1].map((scannedFiles) => call({ path, told: { scannedFiles } })) }),
        evidence({ calls: ends }),
      ];
    },
  },
  countsAddUp: {
    kept: () => [evidence({ outcome: { jobs: [job(loaded)] } })],
    broken: () => [
      evidence({ outcome: { jobs: [job({ ...loaded, loadedFiles: 1 })] } }),
      evidence({ outcome: { jobs: [job({ ...loaded, scannedFiles: 1, loadedFiles: 1 })] } }),
      evidence({ outcome: { jobs: [job({ ...loaded, loadedFiles: 1, failedFiles: 1 })] } }),
    ],
  },
  neighboursGoOn: {
    kept: () => [besideSick(2_000), besideSick(60_000, 'kill-worker'), besideSick(60_000, undefined, 'free')],
    broken: () => [besideSick(60_000), besideSick(undefined)],
  },
  readsAreFresh: {
    kept: () => {
      const log = [mounted('/a', 'file:///a'), mounted('/b', 'file:///b')];
      const [first, second] = log.map((one) => one.sequence);
      const before = call({ sequence: first, told: mounts(['/a/', 'file:///a']) });
      const told = call({ sequence: second, told: mounts(['/a/', 'file:///a'], ['/b/', 'file:///b']) });
      const stale = call({ sequence: first, stale: true, told: mounts(['/a/', 'file:///a']) });
      const ttl = { method: 'POST', path: '/ttl', body: { path: '/a', ttlSeconds: 5 } } as const;
      const [first5, again] = [call({ ...ttl, sequence: second + 1 }), call({ ...ttl, sequence: second + 1 })];
      log.push(commit('namespace', 'TtlSet', { path: '/a', ttlSeconds: 5 }, first5.id));
      return [evidence({ calls: [before, told, stale, first5, again], outcome: { log } })];
    },
    broken: () => {
      const log = [mounted('/a', 'file:///a'), mounted('/b', 'file:///b')];
      const write = call({ method: 'POST', sequence: log[1].sequence });
      const old = call({ told: mounts(['/a/', 'file:///a']) });
      const ttl = call({ method: 'POST', path: '/ttl', body: { path: '/a', ttlSeconds: 5 } });
      const never = call({ stale: true, told: mounts(['/b/', 'file:///b']) });
      const bad = [[write, old], [never], [ttl]];
      return bad.map((calls) => evidence({ calls, outcome: { log } }));
    },
  },
  thePastStands: {
    kept: () => {
      const log = [mounted('/a', 'file:///a'), mounted('/b', 'file:///b')];
      const path = `/mount?asOf=${log[0].sequence}`;
      return [evidence({ calls: [call({ path, told: mounts(['/a/', 'file:///a']) })], outcome: { log } })];
    },
    broken: () => {
      const log = [mounted('/a', 'file:///a'), mounted('/b', 'file:///b')];
      const both = mounts(['/a/', 'file:///a'], ['/b/', 'file:///b']);
      const later = call({ path: `/mount?asOf=${log[0].sequence}`, told: both });
      const earlier = call({ path: `/mount?asOf=${log[1].sequence}`, told: mounts(['/a/', 'file:///a']) });
      return [later, earlier].map((one) => evidence({ calls: [one], outcome: { log } }));
    },
  },
  eventsAreTheLog: {
    kept: () => {
      const log = [mounted('/a', 'file:///a'), mounted('/b', 'file:///b')];
      const page = (after: number, ...of: Logged[]) =>
        call({ path: `/events?after=${after}&count=20`, told: events(of) });
      const before = log[0].sequence - 1;
      const calls = [page(before, ...log), page(before, log[0]), page(log[0].sequence, log[1]), page(log[1].sequence)];
      return [evidence({ calls, outcome: { log } })];
    },
    broken: () => {
      const log = [mounted('/a', 'file:///a'), mounted('/b', 'file:///b')];
      const path = `/events?after=${log[0].sequence - 1}&count=20`;
      const bad = [[log[1]], [log[1], log[0]], [log[0], log[0]]];
      return bad.map((of) => evidence({ calls: [call({ path, told: events(of) })], outcome: { log } }));
    },
  },
  sequencesNeverFall: {
    kept: () => [
      evidence({ calls: [call({ sequence: 2 }), call({ sequence: 1, stale: true }), call({ sequence: 2 })] }),
    ],
    broken: () => [evidence({ calls: [call({ sequence: 2 }), call({ sequence: 1 })] })],
  },
  mountsNeverConflict: {
    kept: () => [evidence({ outcome: { log: [mounted('/a', 'file:///a'), mounted('/ab', 'file:///ab')] } })],
    broken: () => [
      evidence({ outcome: { log: [mounted('/a', 'file:///a'), mounted('/a/b', 'file:///b')] } }),
      evidence({ outcome: { log: [mounted('/a', 'file:///a/'), mounted('/b', 'file:///a/inner/')] } }),
    ],
  },
  cacheEqualsSource: {
    kept: () => [evidence({})],
    broken: () => [
      evidence({ outcome: { copies: new Map([...cached].slice(1)) } }),
      evidence({ outcome: { copies: new Map([...cached, ['s3://kept/t0/a', ['hash of a', 'other']]]) } }),
    ],
  },
  oneVersionEach: {
    kept: () => [replaced(['second']), replaced(['first', 'second'])],
    broken: () => [replaced(['first']), replaced(['second', 'a mixture']), replaced([])],
  },
  readsAreBounded: {
    kept: () => [evidence({ outcome: { jobs: [job(loaded)], s3Reads: new Map([['s3://kept/t0/a', 10]]) } })],
    broken: () => [
      evidence({ outcome: { jobs: [job(loaded)], s3Reads: new Map([['s3://kept/t0/a', 11]]) } }),
      evidence({ outcome: { s3Reads: new Map([['s3://kept/t0/a', 1]]) } }),
    ],
  },
  secretsStaySecret: {
    kept: () => [evidence({})],
    broken: () => [evidence({ outcome: { leaks: ['worker-1.log'] } })],
  },
  nothingOutside: {
    kept: () => [evidence({})],
    broken: () => [evidence({ outcome: { strays: ['core.123'] } })],
  },
  nothingForgedCounts: {
    kept: () => [
      evidence({}),
      evidence({
        outcome: {
          log: [{ ...mounted('/a', 'file:///a'), digest: 'real' }],
          void: [{ sequence: 9, boundary: 'namespace', digest: 'made up', reason: 'not signed' }],
          forged: { madeUp: new Set(['made up']), sent: new Set(['made up', 'real']) },
        },
      }),
    ],
    broken: () => [
      evidence({
        outcome: {
          log: [{ ...mounted('/a', 'file:///a'), digest: 'made up' }],
          forged: { madeUp: new Set(['made up']), sent: new Set(['made up']) },
        },
      }),
      evidence({ outcome: { log: [1, 2].map(() => ({ ...mounted('/a', 'file:///a'), digest: 'real' })) } }),
      evidence({ outcome: { void: [{ sequence: 9, boundary: 'namespace', digest: 'own', reason: 'a replay' }] } }),
      evidence({ calls: [call({ method: 'GET', path: '/mount', told: mounts([`/${forgedMark}`, 'file:///x']) })] }),
      evidence({ outcome: { answers: { '/mount': [mounts([`/${forgedMark}`, 'file:///x'])] } } }),
    ],
  },
};

describe('the checks of a recorded history', () => {
  test('each check has a case here', () => {
    expect(Object.keys(cases).sort()).toEqual(Object.keys(checks).sort());
  });

  test.each(Object.keys(cases))('%s accepts a kept promise and reports a broken one', (name) => {
    for (const kept of cases[name].kept()) expect(checks[name](kept)).toEqual([]);
    for (const broken of cases[name].broken()) expect(checks[name](broken)).not.toEqual([]);
  });
});
