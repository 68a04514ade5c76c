import { randomUUID } from 'node:crypto';
import fc from 'fast-check';
import { logEvents } from '#contexts/log';
import { LogEnds } from '#contexts/log/marks';
import { EventCodec, EventStore, messageDigest, seenWindow, type StoredCommit, withSignature } from '#jetstream';
import { type RecordedEvent } from '#kernel';
import { note, noted, openTestLog, startTestNats, type TestLog, type TestNats } from '#testing';
import { judgeBy, LogGate, TrustRing } from './index.js';

jest.setTimeout(60_000);

const catalogue = { ...noted, ...logEvents };
const codec = new EventCodec([catalogue]);
const ring = new TrustRing([{ id: 'k1', key: Buffer.alloc(32, 1) }]);
const signer = ring.signer('coordinator-1');

let nats: TestNats;
let log: TestLog;
/** The store of a coordinator that has read nothing. */
let writer: EventStore;

beforeAll(async () => {
  nats = await startTestNats();
});
afterAll(() => nats?.stop());
beforeEach(async () => {
  log = await openTestLog(nats.url, { catalogue, cluster: `c${randomUUID().slice(0, 8)}` });
  writer = new EventStore(log.link, log.names, codec, { signer });
  await append('log', [
    event('LogStarted', { logId: 'l' }),
    event('SigningBegan', { keyId: 'k1', publicKey: signer.publicKey.toString('base64'), workSequence: 0 }),
  ]);
});
afterEach(() => log?.close());

const event = (type: string, data: unknown): RecordedEvent => ({ ...note('', randomUUID()), type, data });

async function append(boundary: string, events: RecordedEvent[] = [note(boundary)]): Promise<number> {
  return (await writer.append(boundary, await writer.lastSequence(boundary), events)).sequence;
}

/** Appends bytes to a boundary with a plain NATS client. */
const put = async (boundary: string, data: Uint8Array) =>
  (await log.link.js.publish(log.names.eventSubject(boundary), data)).seq;

async function messages(): Promise<StoredCommit[]> {
  const all: StoredCommit[] = [];
  for await (const message of log.store.readMessages()) all.push(message);
  return all;
}

/** Appends the message at a sequence again. */
async function again(sequence: number): Promise<number> {
  const { subject, data } = await log.link.jsm.streams.getMessage(log.names.eventStream, { seq: sequence });
  return put(log.names.boundaryOf(subject), data);
}

/** A store that reads single boundaries, like workers, and like coordinators before their views exist. */
function lonely(): EventStore {
  const store = new EventStore(log.link, log.names, codec);
  store.judge = judgeBy(new LogGate({ codec, ring }), (commit) => store.isInPlace(commit));
  return store;
}

const lastOf = async (boundary: string) => {
  const end = await lonely().lastOf(boundary);
  return end && [end.sequence, end.commit?.sequence];
};

/** Expects the last message of `notes.1`, and its last valid message. */
async function endsAt(last: number, holds: number): Promise<void> {
  expect(await lastOf('notes.1')).toEqual([last, holds]);
}

/** For each boundary, the sequences of its last message and of its last valid one, from the whole log in order. */
async function ends(): Promise<Record<string, [number, number | undefined]>> {
  const gate = new LogGate({ codec, ring });
  const found: Record<string, [number, number | undefined]> = {};
  for (const message of await messages()) {
    const holds = 'commit' in gate.admit(message);
    found[message.boundary] = [message.sequence, holds ? message.sequence : found[message.boundary]?.[1]];
  }
  return found;
}

describe('the last message of a boundary, read alone', () => {
  it('is no replay of the first commit, of the second last, of the last itself, nor of a replay', async () => {
    const first = await append('notes.1');
    const second = await append('notes.1');
    await endsAt(second, second);
    for (const one of [first, second, second, first]) {
      const replay = await again(one);
      await endsAt(replay, second);
    }
    const third = await append('notes.1');
    await endsAt(third, third);
    expect(await lastOf('notes.1')).toEqual((await ends())['notes.1']);
  });

  it('is the first of its boundary, once', async () => {
    const only = await append('notes.1');
    await endsAt(only, only);
    await endsAt(await again(only), only);
  });

  it('is no commit that came too late: another one took the place behind its predecessor', async () => {
    const first = await append('notes.1');
    const [{ data: before }] = (await messages()).slice(-1);
    const place = { prev: messageDigest('notes.1', before), after: first };
    // Signed by a writer that had read newer messages since; the log refused it.
    const winner = await append('notes.1');
    const { data: won } = (await messages()).at(-1)!;
    const seen = [winner, messageDigest('notes.1', won).slice(0, 16)] as const;
    const envelope = { commitId: randomUUID(), ...place, by: signer.writer, key: signer.keyId, seen };
    const late = withSignature('notes.1', codec.encode({ ...envelope, events: [note('late')] }), signer);
    await endsAt(await put('notes.1', late), winner);
  });

  it('is accepted from a build that did not name the sequence before it, if it follows in order', async () => {
    const first = await append('notes.1');
    const [{ data }] = (await messages()).slice(-1);
    const seen = [first, messageDigest('notes.1', data).slice(0, 16)] as const;
    const envelope = { commitId: randomUUID(), by: signer.writer, key: signer.keyId, seen, events: [note('old')] };
    const old = (prev: string) => withSignature('notes.1', codec.encode({ ...envelope, prev }), signer);
    const second = await put('notes.1', old(messageDigest('notes.1', data)));
    await endsAt(second, second);
    await endsAt(await put('notes.1', old('00'.repeat(32))), second);
    await endsAt(await again(second), second);
  });

  it('goes behind junk, which keeps its place in the chain', async () => {
    await append('notes.1');
    const junk = await put('notes.1', Buffer.from('junk'));
    const behind = await append('notes.1');
    await endsAt(behind, behind);
    await again(junk);
    await endsAt(await again(behind), behind);
  });

  it('is accepted only in its place, with any numbers that it names', async () => {
    const only = await append('notes.1');
    const commit = (await lonely().lastOf('notes.1'))!.commit!;
    const isInPlace = (changes: object) => lonely().isInPlace({ ...commit, ...changes });
    expect(await isInPlace({})).toBe(true);
    const digest = commit.seen![1];
    for (const changes of [
      { after: -1 },
      { after: only },
      { after: only + 5 },
      { after: only - 1 },
      { prev: 'ab'.repeat(32) },
      { prev: undefined },
      { seen: undefined },
      { seen: [only, digest] },
      { sequence: only + seenWindow, seen: [only, digest] },
    ]) {
      expect({ changes, holds: await isInPlace(changes) }).toEqual({ changes, holds: false });
    }
  });

  it('agrees with the whole log read in order, with any messages sent again in between', async () => {
    const boundary = fc.constantFrom('notes.1', 'notes.2', 'log');
    const step = fc.oneof(
      { weight: 3, arbitrary: fc.record({ write: boundary }) },
      { weight: 3, arbitrary: fc.record({ again: fc.nat() }) },
      { weight: 1, arbitrary: fc.record({ junk: boundary }) },
    );
    await fc.assert(
      fc.asyncProperty(fc.array(step, { minLength: 3, maxLength: 8 }), async (steps) => {
        for (const one of steps) {
          const all = await messages();
          if ('write' in one) {
            const restored = { logId: randomUUID(), parentId: 'l', throughSequence: 1, root: 'r' };
            await append(one.write, one.write === 'log' ? [event('LogRestored', restored)] : undefined);
          } else if ('again' in one) await again(1 + (one.again % all.length));
          else await put(one.junk, Buffer.from('junk'));
        }
        const told = await ends();
        for (const name of Object.keys(told)) expect([name, await lastOf(name)]).toEqual([name, told[name]]);
      }),
      { numRuns: 10 },
    );
  });
});

describe('the identity of a log', () => {
  it.each([
    ['LogRestored', { parentId: 'l', throughSequence: 1, root: 'r' }],
    ['LogLossAccepted', { parentId: 'l', seenSequence: 9, throughSequence: 1, root: 'r' }],
  ])('stays that of %s when its beginning is sent once more', async (type, data) => {
    await append('log', [event(type, { logId: 'new', ...data })]);
    const expected = { logId: 'new', ancestors: [{ logId: 'l', throughSequence: 1 }], signing: { keyId: 'k1' } };
    const state = async () => (await new LogEnds(lonely()).look()).state;
    expect(await state()).toMatchObject(expected);
    await again(1);
    expect(await state()).toMatchObject(expected);
  });

  it('is that of its beginning as long as nothing follows it, sent again or not', async () => {
    for (let i = 0; i < 2; i++) {
      expect((await new LogEnds(lonely()).look()).state).toMatchObject({ logId: 'l', ancestors: [] });
      await again(1);
    }
  });
});
