import fc from 'fast-check';
import { checkpointDiffers, emptyRoot, EventCodec, messageDigest, rollDigest } from '#jetstream';
import { note, noted } from '#testing';
import { CoveredLog, decodeCovered, PrefixDiffersError } from './covered-log.js';

const root = 'ab'.repeat(32);

it('gives each message the verdict of the checkpoint, and none behind its end', () => {
  const ranges = fc.array(fc.tuple(fc.integer({ min: 1, max: 4 }), fc.nat(6)), { maxLength: 8 });
  fc.assert(
    fc.property(ranges, fc.nat(10), (given, more) => {
      let end = 0;
      const voided = given.map(([gap, length]): [number, number] => {
        const first = end + gap + 1;
        end = first + length;
        return [first, end];
      });
      const throughSequence = end + more;
      const covered = new CoveredLog({ throughSequence, root, void: voided });
      for (let sequence = 1; sequence <= throughSequence + 3; sequence++) {
        const isVoid = voided.some(([first, last]) => first <= sequence && sequence <= last);
        const expected = sequence > throughSequence ? undefined : isVoid ? 'void' : 'holds';
        expect({ sequence, says: covered.says(sequence) }).toEqual({ sequence, says: expected });
      }
    }),
  );
});

it('is compared at its end, where every earlier change shows', () => {
  const digests = Array.from({ length: 9 }, (_, i) => messageDigest('notes', Buffer.from(`${i}`)));
  const rolled = (all: readonly string[]) => all.reduce(rollDigest, emptyRoot);
  const covered = new CoveredLog({ throughSequence: 9, root: rolled(digests), void: [] });
  expect(() => covered.passed(9, rolled(digests))).not.toThrow();
  const swapped = [...digests.slice(0, 3), digests[4], digests[3], ...digests.slice(5)];
  const changed = digests.with(2, messageDigest('notes', Buffer.from('other')));
  for (const other of [swapped, changed, digests.slice(1), [...digests, digests[0]]]) {
    expect(() => covered.passed(9, rolled(other))).toThrow(PrefixDiffersError);
  }
});

it('reports a difference with a code of its own, and only there', () => {
  const covered = new CoveredLog({ throughSequence: 9, root, void: [] });
  for (const sequence of [1, 8, 10, 1_000]) expect(() => covered.passed(sequence, emptyRoot)).not.toThrow();
  let thrown: unknown;
  try {
    covered.passed(9, emptyRoot);
  } catch (error) {
    thrown = error;
  }
  expect(thrown).toMatchObject({ code: checkpointDiffers, message: expect.stringContaining('through 9') as string });
});

describe('a message that holds by a checkpoint', () => {
  const codec = new EventCodec([noted]);
  const at = (data: string | Uint8Array) => ({
    ...{ sequence: 4, boundary: 'notes', recordedAtMs: 0 },
    data: Buffer.from(data),
  });
  const commit = (events: unknown[]) => at(JSON.stringify({ id: 'x', events }));

  it('is read without a check of its signature', () => {
    const event = note('a');
    const read = decodeCovered(codec, at(codec.encode({ commitId: 'x', events: [event] })));
    expect(read).toMatchObject({ sequence: 4, boundary: 'notes', events: [event] });
  });

  it.each([
    ['no JSON', at('junk')],
    ['no commit', at('{}')],
    ['an event of an unknown type', commit([{ ...note('a'), type: 'NotYetInvented' }])],
    ['an event of a later version', commit([{ ...note('a'), v: 2 }])],
    ['an event with other data', commit([{ ...note('a'), data: {} }])],
  ])('is a different message when it cannot be read: %s', (_, message) => {
    expect(() => decodeCovered(codec, message)).toThrow(PrefixDiffersError);
  });
});
