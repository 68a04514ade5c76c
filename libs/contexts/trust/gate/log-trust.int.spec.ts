import { randomUUID } from 'node:crypto';
import { checkpointBoundary, checkpointEvents, logEvents } from '#contexts/log';
import { emptyRoot, EventCodec, EventStore, messageDigest, parseEnvelope, rollDigest, type Signer } from '#jetstream';
import { type RecordedEvent } from '#kernel';
import { note, noted, openTestLog, startTestNats, type TestLog, type TestNats, until } from '#testing';
import { LogTrust, OwnSigner, PrefixDiffersError, privateKeyOf, TrustRing } from './index.js';

jest.setTimeout(60_000);

const catalogue = { ...noted, ...logEvents, ...checkpointEvents };
const codec = new EventCodec([catalogue]);
const ring = new TrustRing([{ id: 'k1', key: Buffer.alloc(32, 1) }]);
const coordinator = ring.signer('coordinator-1');
const stranger = new OwnSigner('coordinator-1', privateKeyOf(Buffer.alloc(32, 9)), 'k1');

let nats: TestNats;
let log: TestLog;

beforeAll(async () => {
  nats = await startTestNats();
});
afterAll(() => nats?.stop());
beforeEach(async () => {
  log = await openTestLog(nats.url, { catalogue, cluster: `c${randomUUID().slice(0, 8)}` });
});
afterEach(() => log?.close());

const event = (type: string, data: unknown, v = 1): RecordedEvent => ({ ...note('', randomUUID()), type, v, data });

/** Appends a commit as one process does: chained, and signed by `signer`. @returns its sequence */
async function append(boundary: string, events: RecordedEvent[], signer?: Signer): Promise<number> {
  const store = new EventStore(log.link, log.names, codec, { signer });
  return (await store.append(boundary, await store.lastSequence(boundary), events)).sequence;
}

/** Appends text to a boundary with a plain NATS client. */
const put = async (boundary: string, data: string) =>
  (await log.link.js.publish(log.names.eventSubject(boundary), data)).seq;

const begin = () =>
  append(
    'log',
    [
      event('LogStarted', { logId: 'l' }),
      event('SigningBegan', {
        keyId: 'k1',
        publicKey: coordinator.publicKey.toString('base64'),
        workSequence: 0,
      }),
    ],
    coordinator,
  );

/** A checkpoint over all messages up to now. */
async function checkpoint(changes: Record<string, unknown> = {}): Promise<RecordedEvent> {
  let [root, throughSequence] = [emptyRoot, 0];
  for await (const { sequence, boundary, data } of log.store.readMessages()) {
    root = rollDigest(root, messageDigest(boundary, data));
    throughSequence = sequence;
  }
  const kept = { fromSequence: 1, throughSequence, root, digests: '', void: [], keyId: 'k1', mac: '' };
  return event('LogCheckpointed', { ...kept, ...changes }, 2);
}

/** The store and the trust of a coordinator that starts with this log. */
function starting() {
  const store = new EventStore(log.link, log.names, codec, { signer: coordinator });
  return { store, trust: new LogTrust(store, { codec, ring }) };
}

/** Reads the whole log through the gate of the views. @returns the sequences that are void */
async function fold(trust: LogTrust, strict = false): Promise<number[]> {
  const gate = trust.openGate(undefined, strict);
  const found: number[] = [];
  for await (const message of log.store.readMessages()) if ('void' in gate.admit(message)) found.push(message.sequence);
  return found;
}

describe('before the views are there', () => {
  it('the log’s own boundary holds what coordinators have signed on it since signing began, and ends where it ends', async () => {
    const real = await begin();
    const restored = (logId: string) => event('LogRestored', { logId, parentId: 'l', throughSequence: 1, root: 'r' });
    await append('log', [restored('unsigned')]);
    await append('log', [restored('made up')], stranger);
    const junk = await put('log', 'junk');
    const { store } = starting();
    const read: number[] = [];
    for await (const { sequence } of store.readBoundary('log')) read.push(sequence);
    expect(read).toEqual([real]);
    const end = await store.lastOf('log');
    expect(end).toMatchObject({ sequence: junk, commit: { sequence: real, events: [{}, { type: 'SigningBegan' }] } });
  });

  it('a message that is sent again on a boundary is read once', async () => {
    await begin();
    await append('notes.1', [note('real')], coordinator);
    for await (const { data, sequence } of log.store.readMessages('notes.1')) {
      if (sequence === 2) await put('notes.1', Buffer.from(data).toString());
    }
    const read: unknown[] = [];
    for await (const { sequence } of starting().store.readBoundary('notes.1')) read.push(sequence);
    expect(read).toEqual([2]);
  });
});

describe('the part of the log under the newest checkpoint', () => {
  it('is accepted without a further check, void messages included; in strict mode all of it is checked', async () => {
    await begin();
    // Neither message is valid by itself. The checkpoint says which of them was.
    const [believed, voided] = [await append('notes.1', [note('a')]), await append('notes.1', [note('b')])];
    await append(checkpointBoundary.name, [await checkpoint({ void: [[voided, voided]] })], coordinator);
    const { trust } = starting();
    await trust.prepare();
    expect(await fold(trust)).toEqual([voided]);
    expect(await fold(trust, true)).toEqual([believed, voided]);
    expect(trust.report()).toMatchObject({ count: 2, unacknowledged: 2 });
  });

  it('ends at the last checkpoint that a coordinator signed: a forged one behind it does not count', async () => {
    await begin();
    const unsigned = await append('notes.1', [note('a')]);
    await append(checkpointBoundary.name, [await checkpoint({ void: [[unsigned, unsigned]] })], coordinator);
    const forgeries = [
      await append(checkpointBoundary.name, [await checkpoint()], stranger),
      await append(checkpointBoundary.name, [await checkpoint()]),
      await put(checkpointBoundary.name, 'junk'),
    ];
    const { trust } = starting();
    await trust.prepare();
    expect(await fold(trust)).toEqual([unsigned, ...forgeries]);
  });

  it('makes the reader begin again without it when it differs from what was read', async () => {
    await begin();
    await append('notes.1', [note('a')], coordinator);
    await append(checkpointBoundary.name, [await checkpoint({ root: 'ab'.repeat(32) })], coordinator);
    const { trust } = starting();
    await trust.prepare();
    await expect(fold(trust)).rejects.toThrow(PrefixDiffersError);
    expect(await fold(trust, true)).toEqual([]);
  });

  it('is empty when it was made before messages were signed', async () => {
    await begin();
    const unsigned = await append('notes.1', [note('a')]);
    await append(checkpointBoundary.name, [await checkpoint({ void: undefined })], coordinator);
    const { trust } = starting();
    await trust.prepare();
    expect(await fold(trust)).toEqual([unsigned]);
  });
});

describe('once the views are followed', () => {
  it('a message that they passed over is void for all readers, and has no verdict before they have come so far', async () => {
    await begin();
    const { store, trust } = starting();
    const gate = trust.openGate(undefined, false);
    let applied = 0;
    trust.follow({ waitFor: async (sequence) => void (await until(() => applied >= sequence)) });
    const real = await append('notes.1', [note('real')], coordinator);
    const forged = await append('notes.1', [note('forged')], stranger);
    let answer: unknown = 'none yet';
    const asked = store.lastOf('notes.1').then((end) => (answer = end));
    for await (const message of log.store.readMessages()) {
      expect(answer).toBe('none yet');
      gate.admit(message);
      applied = message.sequence;
    }
    await asked;
    expect(answer).toMatchObject({
      sequence: forged,
      commit: { sequence: real, events: [{ data: { text: 'real' } }] },
    });
    const read: number[] = [];
    for await (const { sequence } of store.readBoundary('notes.1')) read.push(sequence);
    expect(read).toEqual([real]);
  });

  it('a message that this process signs names the newest one that they have passed', async () => {
    await begin();
    const { store, trust } = starting();
    const last = await append('notes.1', [note('newest')], coordinator);
    await fold(trust);
    const { sequence } = await store.append('notes.2', 0, [note('mine')]);
    const [message, mine] = await Promise.all(
      [last, sequence].map((seq) => log.link.jsm.streams.getMessage(log.names.eventStream, { seq })),
    );
    const digest = messageDigest('notes.1', message.data).slice(0, 16);
    expect(parseEnvelope(mine.data, sequence).seen).toEqual([last, digest]);
  });
});
