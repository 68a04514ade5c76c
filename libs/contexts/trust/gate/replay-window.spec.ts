import { seenWindow } from '#jetstream';
import { MetMessages, ReplayWindow } from './replay-window.js';

/** As good as a hash here, and much cheaper: different for all 32-bit numbers, and neighbours do not look alike. */
function digestOf(sequence: number): string {
  const spread = (Math.imul(sequence, 0x9e3779b1) >>> 0).toString(16).padStart(8, '0');
  return (spread + ((sequence ^ 0x5bd1e995) >>> 0).toString(16).padStart(8, '0')).repeat(4);
}
const seenOf = (sequence: number) => [sequence, digestOf(sequence).slice(0, 16)] as const;
const throughJson = <T>(value: T): T => JSON.parse(JSON.stringify(value)) as T;

/** A window with the messages up to a sequence. */
function windowThrough(last: number, from = 1): ReplayWindow {
  const window = new ReplayWindow(from);
  for (let sequence = from; sequence <= last; sequence++) window.add(digestOf(sequence));
  return window;
}

/** Sequences of interest around both ends of the window before the message at `next`. */
function probes(next: number): number[] {
  const first = next - seenWindow;
  const around = [-1, 0, 1, 2].flatMap((d) => [first + d, next + d, (next >> 1) + d]);
  return [...new Set(around)].filter((sequence) => sequence > 0);
}

/** The window's answers for the digests around its ends, by sequence. */
function answers(window: ReplayWindow, next: number) {
  return probes(next).map((sequence) => ({
    sequence,
    remembered: window.holds(digestOf(sequence)),
    seen: window.hasSeen(seenOf(sequence), next),
  }));
}

/** The ring is not full, exactly full, one message past full, or has gone round more than twice. */
const fills = [
  ['nearly empty', 3],
  ['one short of full', seenWindow - 1],
  ['full', seenWindow],
  ['around by one', seenWindow + 1],
  ['more than twice around', 2 * seenWindow + 77],
] as const;

describe.each(fills)('a window that is %s', (_, last) => {
  const next = last + 1;
  const window = windowThrough(last);

  it('remembers the newest messages, and only those count as seen', () => {
    const expected = probes(next).map((sequence) => ({
      sequence,
      remembered: sequence <= last && sequence > last - seenWindow,
      seen: sequence < next && sequence > next - seenWindow,
    }));
    expect(answers(window, next)).toEqual(expected);
  });

  it('gives the same answers after a snapshot, and goes on in the same way', () => {
    const stored = throughJson(window.toSnapshot());
    expect(stored.last).toBe(last);
    const restored = new ReplayWindow(next, stored);
    const original = new ReplayWindow(next, stored);
    expect(answers(restored, next)).toEqual(answers(window, next));
    for (let sequence = next; sequence < next + 10; sequence++) restored.add(digestOf(sequence));
    const gone = Math.max(0, next + 9 - seenWindow);
    expect(restored.holds(digestOf(gone + 1))).toBe(true);
    expect(restored.holds(digestOf(gone))).toBe(false);
    expect(restored.hasSeen(seenOf(next + 9), next + 10)).toBe(true);
    // Later additions do not change the stored window.
    expect(original.toSnapshot()).toEqual(stored);
  });

  it('finds every replay: it is remembered, or has seen nothing new enough', () => {
    // The writer of the message at `sequence` can have seen the message before it at most.
    for (const sequence of probes(next).filter((one) => one <= last)) {
      const again = window.holds(digestOf(sequence)) || !window.hasSeen(seenOf(sequence - 1), next);
      expect({ sequence, again }).toEqual({ sequence, again: true });
    }
  });
});

describe('the message that a commit names as seen by its writer', () => {
  const window = windowThrough(50);

  it.each([
    ['the newest', 50, digestOf(50), true],
    ['an older one', 7, digestOf(7), true],
    ['nothing, in a young log', 0, '', true],
    ['nothing, by a digest', 0, digestOf(0), false],
    ['the newest by the digest of the one before', 50, digestOf(49), false],
    ['the newest by no digest', 50, '', false],
    ['the message itself', 51, digestOf(51), false],
    ['one that is far ahead', 1_000_000, digestOf(1_000_000), false],
    ['one as far ahead as numbers go', Number.MAX_SAFE_INTEGER, digestOf(1), false],
    ['one before the log', -1, digestOf(1), false],
    ['one a whole window before the log', 50 - seenWindow, digestOf(50), false],
  ])('%s', (_, sequence, digest, holds) => {
    expect(window.hasSeen([sequence, digest.slice(0, 16)], 51)).toBe(holds);
  });

  it('may be missing only while the log is young', () => {
    expect(windowThrough(seenWindow - 2).hasSeen([0, ''], seenWindow - 1)).toBe(true);
    expect(windowThrough(seenWindow - 1).hasSeen([0, ''], seenWindow)).toBe(false);
  });

  it('is not a message that has taken the place of another one', () => {
    const reordered = new ReplayWindow();
    for (const sequence of [1, 3, 2]) reordered.add(digestOf(sequence));
    expect(reordered.hasSeen(seenOf(2), 4)).toBe(false);
    expect(reordered.hasSeen(seenOf(3), 4)).toBe(false);
    expect(reordered.hasSeen(seenOf(1), 4)).toBe(true);
    for (const sequence of [1, 2, 3]) expect(reordered.holds(digestOf(sequence))).toBe(true);
  });

  it('is accepted without a check when it is older than the window', () => {
    const late = windowThrough(120, 101);
    expect(late.hasSeen([100, 'ab'.repeat(8)], 121)).toBe(true);
    expect(late.hasSeen([101, 'ab'.repeat(8)], 121)).toBe(false);
    expect(late.hasSeen(seenOf(101), 121)).toBe(true);
  });

  it('is checked only by its distance in a reader of some boundaries', () => {
    const met = (sequence: number, at: number) => new ReplayWindow().couldSee([sequence, 'ab'], at);
    expect(met(9, 10)).toBe(true);
    expect(met(10, 10)).toBe(false);
    expect(met(1_000_000, 10)).toBe(false);
    expect(met(10, 10 + seenWindow - 1)).toBe(true);
    expect(met(10, 10 + seenWindow)).toBe(false);
  });
});

describe('the same bytes twice in the log', () => {
  it('are remembered as long as the second one alone', () => {
    const window = new ReplayWindow();
    const twice = digestOf(0);
    window.add(twice);
    for (let sequence = 1; sequence < seenWindow; sequence++) window.add(digestOf(sequence));
    window.add(twice);
    for (let sequence = 1; sequence < seenWindow; sequence++) {
      window.add(digestOf(seenWindow + sequence));
    }
    expect(window.holds(twice)).toBe(true);
    window.add(digestOf(-1));
    expect(window.holds(twice)).toBe(false);
  });
});

it('a snapshot with more digests than a window holds gives the newest ones, and half a digest gives none', () => {
  const last = seenWindow + 2;
  const all = Array.from({ length: last }, (_, i) => Buffer.from(digestOf(i + 1).slice(0, 16), 'hex'));
  const window = new ReplayWindow(1, { last, digests: Buffer.concat([...all, Buffer.alloc(3)]).toString('base64') });
  expect(answers(window, last + 1)).toEqual(answers(windowThrough(last), last + 1));
});

it('messages are remembered as far back as replays reach', () => {
  const met = new MetMessages();
  for (let sequence = 1; sequence <= seenWindow; sequence++) met.add(digestOf(sequence));
  met.add(digestOf(seenWindow));
  expect([met.holds(digestOf(1)), met.holds(digestOf(seenWindow))]).toEqual([true, true]);
  met.add(digestOf(seenWindow + 1));
  expect([met.holds(digestOf(1)), met.holds(digestOf(2))]).toEqual([false, true]);
});
