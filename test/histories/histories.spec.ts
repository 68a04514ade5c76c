import fs from 'node:fs';
import path from 'node:path';
import { allEvents } from '#contexts/catalogue';
import { jobs, jobsView, type JobsViewState } from '#contexts/jobs';
import { logView, type LogViewState } from '#contexts/log';
import { membershipView } from '#contexts/membership';
import { namespace, namespaceView, type NamespaceState } from '#contexts/namespace';
import { jobKinds } from '#job-kinds/coordinator';
import { EventCodec } from '#jetstream';
import { type View } from '#kernel';

/**
 * Folds histories of released versions (`scripts/record-history.mjs`) with the current code. The expected state was
 * recorded with each. A difference means that an upgrade would change the state of a cluster.
 */
const directory = path.resolve('test/histories');
const histories = fs.readdirSync(directory).filter((file) => file.endsWith('.jsonl'));
const codec = new EventCodec([allEvents]);

interface Line {
  sequence: number;
  boundary: string;
  events: { id: string }[];
}

function fold(file: string): unknown {
  const views = [logView, namespaceView, membershipView, jobsView(1000)] as unknown as View<unknown>[];
  const states = new Map(views.map((view) => [view.name, view.initial()]));
  for (const text of fs.readFileSync(path.join(directory, file), 'utf8').trim().split('\n')) {
    const { sequence, boundary, events } = JSON.parse(text) as Line;
    const bytes = Buffer.from(JSON.stringify({ id: events[0].id, events }));
    const commit = codec.decode(bytes, { sequence, boundary });
    for (const view of views) view.evolve(states.get(view.name), commit);
  }
  const { jobs: records } = states.get(jobs.name) as JobsViewState;
  const progress = [...records.values()].map((record) =>
    jobKinds.of(record.kind).progress(record, Date.parse(record.endedAt ?? record.submittedAt), { files: 0, bytes: 0 }),
  );
  const log = states.get(logView.name) as LogViewState;
  return JSON.parse(
    JSON.stringify({
      // Older histories are from versions whose logs had no identity.
      ...(log.state.logId === undefined ? {} : { log }),
      namespace: states.get(namespaceView.name),
      membership: states.get(membershipView.name),
      progress,
    }),
  );
}

it('at least one history exists', () => {
  expect(histories.length).toBeGreaterThan(0);
});

it.each(histories)('fault 24: %s folds to its recorded state', (file) => {
  const expectedFile = path.join(directory, file.replace(/\.jsonl$/, '.expected.json'));
  const folded = fold(file);
  if (process.env.UPDATE_HISTORIES === '1') fs.writeFileSync(expectedFile, `${JSON.stringify(folded, null, 2)}\n`);
  expect(folded).toEqual(withLaterPolicies(JSON.parse(fs.readFileSync(expectedFile, 'utf8')) as Expected));
});

interface Expected {
  readonly namespace: { readonly state: NamespaceState };
}

/** A kind of policy that is newer than a history folds to an empty state. */
function withLaterPolicies(expected: Expected): Expected {
  const { state, ...view } = expected.namespace;
  const policies = { ...namespace.initial.policies, ...state.policies };
  return { ...expected, namespace: { ...view, state: { ...state, policies } } };
}
