import fc from 'fast-check';
import { checkpointBoundary } from '../index.js';
import { compareLogs, LogVerifier, type Fault, type StoredMessage, type Verdict, type VerifyOptions } from './index.js';
import { ChainedLog, foreignKey, key, renumbered, slippedIn, tampered } from './spec-support/chain.js';

const boundaries = ['a', 'b.1', 'c'];

/** A log of appends to several boundaries, with checkpoints between them. */
const logArbitrary = fc
  .array(
    fc.oneof({ weight: 6, arbitrary: fc.constantFrom(...boundaries) }, { weight: 1, arbitrary: fc.constant('|') }),
    {
      minLength: 3,
      maxLength: 60,
    },
  )
  .map((steps) => written(steps));

function written(steps: readonly string[]): StoredMessage[] {
  const log = new ChainedLog();
  steps.forEach((step, i) => (step === '|' ? log.checkpoint() : log.append(step, `${i}`)));
  if (log.messages.length === 0) log.append('a', 'x');
  return log.messages;
}

function verify(messages: readonly StoredMessage[], options: Partial<VerifyOptions> = {}): Verdict {
  const verifier = new LogVerifier({ firstSequence: 1, keys: [key], ...options });
  for (const message of messages) if (!verifier.add(message)) break;
  return verifier.finish();
}

async function compare(kept: readonly StoredMessage[], log: readonly StoredMessage[]): Promise<Fault | undefined> {
  return (await compareLogs(stream(kept), stream(log), 'the backup')).fault;
}

async function* stream(messages: readonly StoredMessage[]) {
  await Promise.resolve();
  yield* messages;
}

/** Runs a property over a log and a place in it; fast-check prints the seed when it fails. */
function atAnyPlace(check: (messages: StoredMessage[], at: number) => void | Promise<void>): Promise<void> {
  return fc.assert(
    fc.asyncProperty(logArbitrary, fc.nat(), async (messages, n) => check(messages, n % messages.length)),
    { numRuns: 300 },
  );
}

/** Whether a later message could show the fault: one of the same boundary, or a checkpoint that covers it. */
function isWitnessed(messages: readonly StoredMessage[], at: number): boolean {
  const rest = messages.slice(at + 1);
  return rest.some(({ boundary }) => boundary === messages[at].boundary || boundary === checkpointBoundary.name);
}

/** Whether the last checkpoint covers the message, as it was before the change. */
function isCovered(messages: readonly StoredMessage[], at: number): boolean {
  return messages.slice(at + 1).some(({ boundary }) => boundary === checkpointBoundary.name);
}

function expectAround(fault: Fault | undefined, sequence: number): void {
  expect(fault).toBeDefined();
  expect(fault!.possible.from).toBeLessThanOrEqual(sequence);
  expect(fault!.possible.through).toBeGreaterThanOrEqual(sequence);
}

it('an unchanged log has no fault', () =>
  atAnyPlace((messages) => {
    const verdict = verify(messages);
    expect(verdict).toMatchObject({ count: messages.length, lastSequence: messages.length, unknownKeys: [] });
    expect(verdict.fault).toBeUndefined();
  }));

describe('one message changed', () => {
  it('is named where a checkpoint covers it', () =>
    atAnyPlace((messages, at) => {
      fc.pre(isCovered(messages, at));
      const log = messages.with(at, tampered(messages[at]));
      expect(verify(log).fault).toMatchObject({ sequence: at + 1, possible: { from: at + 1, through: at + 1 } });
    }));

  it('is named where only the next message of its boundary shows it', () =>
    atAnyPlace((messages, at) => {
      fc.pre(isWitnessed(messages, at) && !isCovered(messages, at));
      const { fault } = verify(messages.with(at, tampered(messages[at])));
      expect(fault).toMatchObject({ sequence: at + 1 });
      expectAround(fault, at + 1);
    }));

  it('is named by comparison with a backup, wherever it is', () =>
    atAnyPlace(async (messages, at) => {
      const fault = await compare(messages, messages.with(at, tampered(messages[at])));
      expect(fault).toMatchObject({ sequence: at + 1 });
    }));
});

describe('one message removed', () => {
  it('is named where it leaves a gap', () =>
    atAnyPlace((messages, at) => {
      fc.pre(at < messages.length - 1);
      expect(verify(messages.toSpliced(at, 1)).fault).toMatchObject({ kind: 'removed', sequence: at + 1 });
    }));

  it('is found when the rest has moved up', () =>
    atAnyPlace((messages, at) => {
      fc.pre(isWitnessed(messages, at));
      const { fault } = verify(renumbered(messages.toSpliced(at, 1)));
      expectAround(fault, at + 1);
      expect(['removed', 'altered']).toContain(fault!.kind);
    }));

  it('is named exactly where a checkpoint covers the next message', () =>
    atAnyPlace((messages, at) => {
      const covering = messages.findIndex(({ boundary }, i) => i > at + 1 && boundary === checkpointBoundary.name);
      fc.pre(covering > 0 && messages[at].boundary !== checkpointBoundary.name);
      const { fault } = verify(renumbered(messages.toSpliced(at, 1)));
      expect(fault).toMatchObject({ kind: 'removed', sequence: at + 1 });
    }));

  it('is named by comparison with a backup, also at the end', () =>
    atAnyPlace(async (messages, at) => {
      const fault = await compare(messages, renumbered(messages.toSpliced(at, 1)));
      expect(fault).toMatchObject({ sequence: at + 1 });
      // For the last but one, no later message shows the kind of the fault.
      if (at !== messages.length - 2) expect(fault!.kind).toBe('removed');
    }));
});

describe('one inserted message', () => {
  const slipIn = (messages: StoredMessage[], at: number, linked: boolean): StoredMessage[] =>
    renumbered(messages.toSpliced(at, 0, slippedIn(messages.slice(0, at), boundaries[at % 3], linked)));

  it.each([true, false])('is named where a checkpoint covers its place (chained to the one before it: %s)', (linked) =>
    atAnyPlace((messages, at) => {
      fc.pre(isCovered(messages, at));
      expect(verify(slipIn(messages, at, linked)).fault).toMatchObject({ kind: 'inserted', sequence: at + 1 });
    }),
  );

  it.each([true, false])(
    'is named where only later messages of its boundary show it (chained to the one before it: %s)',
    (linked) =>
      atAnyPlace((messages, at) => {
        const rest = messages.slice(at);
        fc.pre(!rest.some(({ boundary }) => boundary === checkpointBoundary.name));
        fc.pre(rest.some(({ boundary }) => boundary === boundaries[at % 3]));
        expect(verify(slipIn(messages, at, linked)).fault).toMatchObject({ kind: 'inserted', sequence: at + 1 });
      }),
  );

  it('is named by comparison with a backup', () =>
    atAnyPlace(async (messages, at) => {
      const fault = await compare(messages, slipIn(messages, at, true));
      expect(fault).toMatchObject({ kind: 'inserted', sequence: at + 1 });
    }));
});

describe('a forged tail with correct chains', () => {
  /** All messages from a place on, written again without the key, including checkpoints. */
  function forged(messages: readonly StoredMessage[], at: number): StoredMessage[] {
    const log = ChainedLog.after(messages.slice(0, at), foreignKey);
    for (const { boundary } of messages.slice(at)) {
      if (boundary === checkpointBoundary.name) log.checkpoint();
      else log.append(boundary, 'forged');
    }
    return log.messages;
  }

  it('is found at its first checkpoint, which needs the key', () =>
    atAnyPlace((messages, at) => {
      const checkpoint = messages.findIndex(({ boundary }, i) => i >= at && boundary === checkpointBoundary.name);
      fc.pre(checkpoint > at);
      const { fault } = verify(forged(messages, at));
      expectAround(fault, at + 1);
      expect(fault!.possible.through).toBeLessThanOrEqual(checkpoint + 1);
    }));

  it('is named exactly when the old checkpoints were left in place', () =>
    atAnyPlace((messages, at) => {
      const checkpoint = messages.findIndex(({ boundary }, i) => i >= at && boundary === checkpointBoundary.name);
      fc.pre(checkpoint > at);
      const tail = forged(messages, at).slice(at);
      const mixed = [...messages.slice(0, at), ...tail].map((message, i) =>
        message.boundary === checkpointBoundary.name ? messages[i] : message,
      );
      expect(verify(mixed).fault).toMatchObject({ sequence: at + 1 });
    }));

  it('is named by comparison with a backup', () =>
    atAnyPlace(async (messages, at) => {
      fc.pre(messages[at].boundary !== checkpointBoundary.name);
      expect(await compare(messages, forged(messages, at))).toMatchObject({ sequence: at + 1 });
    }));

  it('does not have the root that was noted', () =>
    atAnyPlace((messages, at) => {
      fc.pre(messages[at].boundary !== checkpointBoundary.name);
      const { root } = verify(messages);
      const anchors = new Map([[messages.length, root]]);
      expectAround(verify(forged(messages, at), { anchors, keys: undefined }).fault, at + 1);
      expect(verify(messages, { anchors }).fault).toBeUndefined();
    }));
});

describe('a part that cannot be checked is reported, and is no fault', () => {
  const messages = written(['a', 'b.1', '|', 'a']);

  it('a key that was not given', () => {
    expect(verify(messages, { keys: [{ ...key, id: 'other' }] })).toMatchObject({
      unknownKeys: ['k1'],
      fault: undefined,
      provenThrough: 2,
    });
  });

  it('messages from versions without chains', () => {
    const old = messages.slice(0, 2).map((message, i) => ({
      ...message,
      data: Buffer.from(
        JSON.stringify({ ...(JSON.parse(Buffer.from(message.data).toString()) as object), prev: undefined, n: i }),
      ),
    }));
    const log = ChainedLog.after(old, key);
    log.append('a', 'now');
    expect(verify(log.messages)).toMatchObject({ unchained: 2, fault: undefined });
    expect(verify(renumbered([...log.messages, old[0]])).fault).toMatchObject({ kind: 'inserted', sequence: 4 });
  });

  it('an archived log that begins where the caller says', () => {
    const long = written([...'abcabc'].map((name) => (name === 'b' ? 'b.1' : name)).concat('|', 'a', 'c', '|', 'a'));
    const rest = long.slice(2);
    expect(verify(rest, { firstSequence: 3 }).fault).toBeUndefined();
    expect(verify(rest).fault).toMatchObject({ kind: 'removed', sequence: 1 });
    expect(verify(rest.with(5, tampered(rest[5])), { firstSequence: 3 }).fault).toMatchObject({ sequence: 8 });
  });
});

it('a message that is no commit is named', () => {
  const messages = written(['a', 'a', 'b.1']);
  const broken = messages.with(1, { ...messages[1], data: Buffer.from('{}') });
  expect(verify(broken).fault).toMatchObject({ kind: 'changed', sequence: 2 });
});
