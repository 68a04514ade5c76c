import { believesAll, EventCodec } from '#jetstream';
import { allEvents } from '#contexts/catalogue';
import { readFileSync } from 'node:fs';
import path from 'node:path';
import { aggregateNames, replayed } from './aggregates.js';
import { masked } from './mask.js';
import { replaySteps, type ReplayLimits, type Step } from './replay.js';
import { stateDiff } from './state-diff.js';

interface Line {
  sequence: number;
  boundary: string;
  events: { id: string; at: string; data: { jobId?: string; kind?: string } }[];
}

/** What a released version wrote. */
const history = readFileSync(path.resolve('test/histories/v0.2.0.jsonl'), 'utf8').trim().split('\n');
const lines = history.map((line) => JSON.parse(line) as Line);
const admit = believesAll(new EventCodec([allEvents])).inOrder();

async function* messages() {
  await Promise.resolve();
  for (const { sequence, boundary, events } of lines) {
    const data = Buffer.from(JSON.stringify({ id: events[0].id, events }));
    yield { sequence, boundary, data, recordedAtMs: Date.parse(events[0].at) };
  }
}

async function steps(of: string, limits: ReplayLimits = {}): Promise<Step[]> {
  const all: Step[] = [];
  for await (const step of replaySteps(messages(), admit, replayed(of), limits)) all.push(step);
  return all;
}

const submitted = lines.filter(({ boundary }) => boundary.startsWith('slot.'));
const jobIds = submitted.map(({ events }) => events[0].data.jobId!);

describe('a replay', () => {
  it.each(['namespace', 'membership', 'log', 'quota', 'file-index', `job.${jobIds[0]}`, submitted[0].boundary])(
    'of %s gives the same result in one run and in two parts',
    async (of) => {
      const all = await steps(of);
      expect(all.length).toBeGreaterThan(0);
      const middle = all[Math.floor(all.length / 2)].sequence;
      const first = await steps(of, { until: { sequence: middle - 1 } });
      const rest = await steps(of, { from: { sequence: middle } });
      expect([...first, ...rest]).toEqual(all);
    },
  );

  it('by time gives the same result as by sequence', async () => {
    const [at] = (await steps('membership')).slice(-1);
    const timeMs = Date.parse(at.recordedAt);
    expect(await steps('membership', { until: { timeMs } })).toEqual(await steps('membership'));
    expect(
      (await steps('membership', { until: { timeMs: timeMs - 1 } })).map(({ sequence }) => sequence),
    ).not.toContain(at.sequence);
  });

  it('of a job has every event that concerns it and no other', async () => {
    const concerning = ({ boundary, events }: Line) =>
      boundary.startsWith(`job.${jobIds[0]}`) ||
      boundary.startsWith(`batch.${jobIds[0]}.`) ||
      (/^(slot\.|quota$)/.test(boundary) && events[0].data.jobId === jobIds[0]);
    const expected = lines.filter(concerning).flatMap(({ sequence, events }) => events.map(() => sequence));
    expect((await steps(`job.${jobIds[0]}`)).map(({ sequence }) => sequence)).toEqual(expected);
  });

  it('of everything ends in the state of each single replay', async () => {
    const all = replayed('all');
    for await (const step of replaySteps(messages(), admit, all, { from: { sequence: Infinity } })) void step;
    const state = masked(JSON.parse(JSON.stringify(all.state()))) as Record<string, unknown>;
    for (const name of ['namespace', 'membership', 'log', 'file-index']) {
      expect({ [name]: state[name] }).toEqual({ [name]: (await steps(name)).at(-1)!.state });
    }
    expect((state.jobs as { jobId: string }[]).map(({ jobId }) => jobId)).toEqual(jobIds);
  });

  it('shows no sealed value', async () => {
    const text = JSON.stringify(await steps('namespace'));
    expect(text).toContain('******');
    expect(text).not.toContain('ciphertext');
  });

  it('shows no secret of a mount that an older version stored in clear', () => {
    const options = { note: { plain: 'topsecret' }, endpoint: { plain: 'http://h' } };
    const mount = { path: '/a/', ufs: 's3://bucket/', options };
    expect(masked({ state: { mounts: [mount] } })).toEqual({
      state: { mounts: [{ ...mount, options: { note: '******', endpoint: 'http://h' } }] },
    });
  });

  it.each(['nonsense', 'job', 'job.a.b', 'slot.x', ''])('refuses an aggregate called "%s"', (name) => {
    expect(() => replayed(name)).toThrow(aggregateNames);
  });
});

describe('the difference of two states', () => {
  it.each([
    [null, { a: 1 }, ['+ a = 1']],
    [{ a: 1, b: [1] }, { a: 2, b: [1, 'x'] }, ['~ a: 1 → 2', '+ b[1] = "x"']],
    [{ a: { b: 1 } }, { a: {} }, ['+ a = {}', '- a.b (was 1)']],
    [{ '/x/': 1 }, { '/x/': 2 }, ['~ ["/x/"]: 1 → 2']],
    [{ a: 1 }, { a: 1 }, []],
  ])('%j, %j', (before, after, expected) => {
    expect(stateDiff(before, after)).toEqual(expected);
  });
});
