import { randomUUID } from 'node:crypto';
import { allEvents } from '#contexts/catalogue';
import {
  chainStart,
  emptyRoot,
  EventCodec,
  messageDigest,
  rollDigest,
  seenWindow,
  type Seen,
  type Signer,
  type StoredCommit,
  withSignature,
} from '#jetstream';
import { type RecordedEvent } from '#kernel';
import { LogGate, OwnSigner, privateKeyOf, TrustRing } from './index.js';

const codec = new EventCodec([allEvents]);
const ring = new TrustRing([{ id: 'k1', key: Buffer.alloc(32, 1) }]);
const coordinator = ring.signer('coordinator-1');
const worker = new OwnSigner('worker-1', privateKeyOf(Buffer.alloc(32, 2)));
const publicKey = worker.publicKey.toString('base64');

const event = (type: string, data: unknown, v = 1): RecordedEvent => ({
  ...{ id: randomUUID(), type, v, at: '2026-01-02T03:04:05.000Z', actor: 'test', requestId: 'r', data },
});
const ttl = (path: string) => event('TtlRemoved', { path });
const begin = event('SigningBegan', {
  keyId: 'k1',
  publicKey: coordinator.publicKey.toString('base64'),
  workSequence: 7,
});
const joined = event(
  'WorkerJoined',
  { workerId: 'worker-1', address: 'a:1', bootId: 'b', capacityBytes: 1, version: '1', publicKey },
  2,
);
const settled = (workerId: string, jobId = 'j') =>
  event('BatchSettled', { jobId, batchId: 'l0-x', workerId, epoch: 1, attempt: 1, counts: {}, failures: [] });

interface Wanted {
  signer?: Signer;
  prev?: string;
  seen?: Seen;
}

/** A log as NATS holds it: any message of any writer. */
class Log {
  readonly messages: StoredCommit[] = [];

  put(boundary: string, data: Uint8Array | string): StoredCommit {
    const message = { sequence: this.messages.length + 1, boundary, data: Buffer.from(data), recordedAtMs: 0 };
    this.messages.push(message);
    return message;
  }

  /** Appends a commit as a writer does. */
  commit(boundary: string, events: RecordedEvent[], { signer, prev, seen }: Wanted = {}): StoredCommit {
    const last = this.messages.findLast((one) => one.boundary === boundary);
    const chained = prev ?? (last ? messageDigest(boundary, last.data) : chainStart);
    const envelope = { commitId: events[0].id, prev: chained, events };
    if (!signer) return this.put(boundary, codec.encode(envelope));
    const { writer: by, keyId: key } = signer;
    return this.put(
      boundary,
      withSignature(boundary, codec.encode({ ...envelope, by, key, seen: seen ?? this.end() }), signer),
    );
  }

  end(): Seen {
    const last = this.messages.at(-1);
    return last ? [last.sequence, messageDigest(last.boundary, last.data).slice(0, 16)] : [0, ''];
  }

  root(): string {
    return this.messages.reduce(
      (root, { boundary, data }) => rollDigest(root, messageDigest(boundary, data)),
      emptyRoot,
    );
  }
}

/** Why each message is void; '' for a valid one. */
function verdicts(gate: LogGate, messages: readonly StoredCommit[]): string[] {
  return messages.map((message) => {
    const judged = gate.admit(message);
    return 'void' in judged ? judged.void.reason : '';
  });
}

const whole = (options: Partial<ConstructorParameters<typeof LogGate>[0]> = {}) =>
  new LogGate({ codec, ring, ...options });

/** A log in which signatures are mandatory, with a worker. */
function signedLog(): Log {
  const log = new Log();
  log.commit('log', [event('LogStarted', { logId: 'l' }), begin], { signer: coordinator });
  log.commit('membership', [joined], { signer: coordinator });
  return log;
}

describe('the beginning of signing', () => {
  it('before it, every readable message holds, and every other one is void', () => {
    const log = new Log();
    log.commit('namespace', [ttl('/a/')]);
    log.put('namespace', 'not json');
    log.commit('namespace', [ttl('/x/')]);
    log.commit('log', [begin], { signer: coordinator });
    log.commit('namespace', [ttl('/b/')]);
    log.commit('namespace', [ttl('/c/')], { signer: coordinator });
    const gate = whole();
    expect(verdicts(gate, log.messages)).toEqual(['', 'cannot be read', '', '', 'not signed', '']);
    expect(gate.unsignedWorkThrough).toBe(7);
    expect(gate.quarantine.report()).toMatchObject({ count: 2, unacknowledged: 2 });
  });

  it('it cannot be declared without the key', () => {
    const log = new Log();
    log.commit('log', [begin]);
    log.commit('namespace', [ttl('/a/')]);
    expect(verdicts(whole(), log.messages)).toEqual(['says that signing began and is not signed', '']);
  });

  it('a log whose signing began with another key is refused, with that key’s name', () => {
    const other = new TrustRing([{ id: 'k9', key: Buffer.alloc(32, 9) }]);
    const log = new Log();
    log.commit('log', [begin], { signer: other.signer('coordinator-9') });
    expect(() => whole().admit(log.messages[0])).toThrow('signed with the key "k9"');
    // In a log that is signed already, it is just another forgery.
    const signed = signedLog();
    signed.commit('log', [begin], { signer: other.signer('coordinator-9') });
    expect(verdicts(whole(), signed.messages)).toEqual(['', '', 'signed by an unknown writer']);
  });
});

describe('a message is void', () => {
  let log: Log;
  beforeEach(() => (log = signedLog()));
  const last = () => verdicts(whole(), log.messages).at(-1);

  it('that is signed with the key of another writer', () => {
    log.commit('namespace', [ttl('/a/')], {
      signer: new OwnSigner('coordinator-1', privateKeyOf(Buffer.alloc(32, 5)), 'k1'),
    });
    expect(last()).toBe('wrongly signed');
  });

  it('that was changed after it was signed, or signed for another boundary', () => {
    const { data } = log.commit('namespace', [ttl('/a/')], { signer: coordinator });
    log.messages.pop();
    log.put('namespace', Buffer.from(data.toString().replace('/a/', '/b/')));
    expect(last()).toBe('wrongly signed');
    log.messages.pop();
    log.put('quota', data);
    expect(last()).toBe('wrongly signed');
  });

  it('that does not name the message before it on its boundary, void or not', () => {
    log.commit('namespace', [ttl('/a/')], { signer: coordinator, prev: '0'.repeat(64) });
    // The boundary is new, so no `prev` is wrong there.
    expect(last()).toBe('');
    log.commit('namespace', [ttl('/b/')], { signer: coordinator, prev: '1'.repeat(64) });
    expect(last()).toBe('does not follow the message before it');
    log.commit('namespace', [ttl('/c/')], { signer: coordinator });
    expect(last()).toBe('');
  });

  it('that was in the log before, a moment or a long time ago', () => {
    const original = log.commit('namespace', [ttl('/a/')], { signer: coordinator });
    log.put('namespace', original.data);
    expect(last()).toBe('a replay');
    const gate = whole();
    verdicts(gate, log.messages);
    for (let i = 0; i < seenWindow; i++) gate.admit(log.put('other', '{}'));
    const again = gate.admit(log.put('namespace', original.data));
    expect('void' in again && again.void.reason).toBe('a replay, or of another log');
  });

  it('whose writer has seen another log', () => {
    log.commit('namespace', [ttl('/a/')], { signer: coordinator, seen: [1, 'ab'.repeat(8)] });
    expect(last()).toBe('a replay, or of another log');
  });

  it.each([
    ['a coordinator', 'batch.j.worker-1', () => settled('worker-1'), coordinator, 'not for a coordinator to write'],
    ['a worker', 'namespace', () => ttl('/a/'), worker, 'not for a worker to write'],
    ['a worker', 'batch.j.worker-2', () => settled('worker-2'), worker, 'not for a worker to write'],
    ['a worker', 'batch.j.worker-1', () => settled('worker-2'), worker, 'an event that this worker may not write'],
    ['a worker', 'batch.j.worker-1', () => settled('worker-1', 'k'), worker, 'an event that this worker may not write'],
    ['a worker', 'batch.j.worker-1', () => ttl('/a/'), worker, 'an event that this worker may not write'],
    ['a worker', 'batch.j.worker-1', () => settled('worker-1'), worker, ''],
  ] as const)('that its writer may not write: %s on %s', (_, boundary, what, signer, reason) => {
    log.commit(boundary, [what()], { signer });
    expect(last()).toBe(reason);
  });

  it('and has no effect, but keeps its place: the next commit follows it', () => {
    log.put('namespace', 'not json');
    log.commit('namespace', [ttl('/a/')], { signer: coordinator });
    expect(verdicts(whole(), log.messages)).toEqual(['', '', 'not signed', '']);
  });
});

describe('a valid message that cannot be read comes from a newer build', () => {
  const unknown = (signer: Signer) => {
    const log = signedLog();
    const text = JSON.stringify({
      ...{ id: 'x', prev: chainStart, by: signer.writer, key: signer.keyId, seen: log.end() },
      events: [event('NotYetInvented', {})],
    });
    log.put('namespace', withSignature('namespace', Buffer.from(text), signer));
    return log;
  };

  it('from a coordinator it stops the reader', () => {
    expect(() => verdicts(whole(), unknown(coordinator).messages)).toThrow('this build does not know the type');
  });

  it('from a worker it is void: a worker must not stop the others', () => {
    const log = signedLog();
    const envelope = { id: 'x', prev: chainStart, by: worker.writer, seen: log.end() };
    const put = (what: RecordedEvent) => {
      const bytes = Buffer.from(JSON.stringify({ ...envelope, events: [what] }));
      log.put('batch.j.worker-1', withSignature('batch.j.worker-1', bytes, worker));
    };
    put(event('NotYetInvented', {}));
    expect(verdicts(whole(), log.messages).at(-1)).toBe('cannot be read');
    log.messages.pop();
    put(event('BatchSettled', { jobId: 'j' }));
    expect(verdicts(whole(), log.messages).at(-1)).toBe('cannot be read');
  });

  it('from an unknown writer it is void', () => {
    const stranger = new OwnSigner('coordinator-1', privateKeyOf(Buffer.alloc(32, 5)), 'k1');
    expect(verdicts(whole(), unknown(stranger).messages).at(-1)).toBe('wrongly signed');
  });
});

describe('a gate', () => {
  const busy = () => {
    const log = signedLog();
    for (let i = 0; i < 60; i++) {
      if (i % 7 === 3) log.put('namespace', 'junk');
      else if (i % 7 === 5) log.put('namespace', log.messages[2]?.data ?? 'x');
      else if (i % 2) log.commit(`batch.j${i}.worker-1`, [settled('worker-1', `j${i}`)], { signer: worker });
      else log.commit('namespace', [ttl(`/p${i}/`)], { signer: coordinator });
    }
    return log;
  };

  it('that goes on from a snapshot gives the same verdicts as one that has read all', () => {
    const log = busy();
    const { messages } = log;
    const rootOfAll = log.root();
    const expected = verdicts(whole(), messages);
    for (let cut = 1; cut < messages.length; cut += 5) {
      const first = whole();
      const before = verdicts(first, messages.slice(0, cut));
      const stored = JSON.parse(JSON.stringify(first.toSnapshot())) as ReturnType<LogGate['toSnapshot']>;
      const second = new LogGate({ codec, ring }, stored);
      expect([...before, ...verdicts(second, messages.slice(cut))]).toEqual(expected);
      expect(second.toSnapshot().root).toBe(rootOfAll);
    }
  });

  it('relies on a checkpoint for the messages before it, void ones included, and reports when it may not', () => {
    const log = busy();
    const strict = whole();
    const expected = verdicts(strict, log.messages);
    const throughSequence = log.messages.length;
    const coverage = { throughSequence, root: log.root(), void: strict.quarantine.through(throughSequence) };
    const trusting = verdicts(whole({ coverage }), log.messages);
    expect(trusting.map((reason) => reason !== '')).toEqual(expected.map((reason) => reason !== ''));
    const wrong = whole({ coverage: { ...coverage, root: '0'.repeat(64) } });
    expect(() => verdicts(wrong, log.messages)).toThrow('differs from the log that its checkpoint was made of');
    // A message that cannot be decoded is no permanent error either: without the checkpoint, it is void.
    const rewritten = log.messages.with(2, { ...log.messages[2], data: Buffer.from('junk') });
    expect(() => verdicts(whole({ coverage }), rewritten)).toThrow(
      'differs from the log that its checkpoint was made of',
    );
    expect(verdicts(whole(), rewritten)[2]).toBe('not signed');
  });

  it('for some boundaries also finds forgeries and replays on them', () => {
    const log = signedLog();
    const original = log.commit('namespace', [ttl('/a/')], { signer: coordinator });
    log.put('batch.j.worker-1', 'not looked at');
    log.put('namespace', original.data);
    log.put('namespace', 'junk');
    log.commit('namespace', [ttl('/b/')], { signer: coordinator });
    const ignores = (boundary: string) => boundary.startsWith('batch');
    const found = verdicts(whole({ partial: true, ignores }), log.messages);
    expect(found).toEqual(['', '', '', '', 'a replay', 'not signed', '']);
  });

  it('judges a single message, and accepts what it cannot tell', () => {
    const log = signedLog();
    const gate = whole();
    verdicts(gate, log.messages);
    expect(gate.check(log.commit('namespace', [ttl('/a/')], { signer: coordinator }))?.events).toHaveLength(1);
    expect(gate.check(log.commit('namespace', [ttl('/a/')]))).toBeUndefined();
    expect(gate.check(log.put('namespace', 'junk'))).toBeUndefined();
  });
});
