import fc from 'fast-check';
import { Quarantine, type SequenceRange } from './index.js';

type Step =
  /** A number of valid messages, followed by a number of void ones. */
  { readonly held: number; readonly voided: number } | { readonly acknowledged: readonly SequenceRange[] } | 'snapshot';

const range = fc
  .tuple(fc.integer({ min: 1, max: 120 }), fc.nat(20))
  .map(([first, more]): SequenceRange => [first, first + more]);
const step: fc.Arbitrary<Step> = fc.oneof(
  { weight: 4, arbitrary: fc.record({ held: fc.nat(4), voided: fc.integer({ min: 1, max: 30 }) }) },
  { weight: 2, arbitrary: fc.record({ acknowledged: fc.array(range, { maxLength: 3 }) }) },
  { weight: 1, arbitrary: fc.constant('snapshot' as const) },
);

/** The same with single sequences instead of ranges. */
class Plain {
  readonly voided = new Set<number>();
  readonly acknowledged = new Set<number>();

  acknowledge(ranges: readonly SequenceRange[]): void {
    for (const sequence of expanded(ranges)) this.acknowledged.add(sequence);
  }

  open(): number[] {
    return [...this.voided].filter((sequence) => !this.acknowledged.has(sequence));
  }
}

function expanded(ranges: readonly SequenceRange[]): number[] {
  return ranges.flatMap(([first, last]) => Array.from({ length: last - first + 1 }, (_, i) => first + i));
}

const throughJson = <T>(value: T): T => JSON.parse(JSON.stringify(value)) as T;
const message = (sequence: number) => ({ sequence, boundary: 'namespace', reason: `why ${sequence}` });

it('the quarantine agrees with a plain set for every sequence, for any acknowledgements and snapshots', () => {
  fc.assert(
    fc.property(fc.array(step, { maxLength: 25 }), (steps) => {
      const plain = new Plain();
      let quarantine = new Quarantine();
      let end = 0;
      for (const one of steps) {
        if (one === 'snapshot') quarantine = new Quarantine(throughJson(quarantine.toSnapshot()));
        else if ('acknowledged' in one) {
          quarantine.acknowledge(one.acknowledged);
          plain.acknowledge(one.acknowledged);
        } else {
          end += one.held;
          for (let i = 0; i < one.voided; i++) {
            quarantine.add(message(++end));
            plain.voided.add(end);
          }
        }
        for (let sequence = 0; sequence <= end + 2; sequence++) {
          expect({ sequence, void: quarantine.has(sequence) }).toEqual({ sequence, void: plain.voided.has(sequence) });
        }
        expect(expanded(quarantine.unacknowledged())).toEqual(plain.open());
        expect(quarantine.report()).toEqual({
          count: plain.voided.size,
          unacknowledged: plain.open().length,
          examples: [...plain.voided].slice(-20).map(message),
        });
      }
      for (const through of [0, end >> 1, end, end + 5, Infinity]) {
        const expected = [...plain.voided].filter((sequence) => sequence <= through);
        expect(expanded(quarantine.through(through))).toEqual(expected);
      }
    }),
  );
});

it('a flood takes no more room than one message, in memory and in a snapshot', () => {
  const quarantine = new Quarantine();
  for (let sequence = 5; sequence < 50_005; sequence++) quarantine.add(message(sequence));
  expect(quarantine.through(Infinity)).toEqual([[5, 50_004]]);
  expect(quarantine.toSnapshot().void).toEqual([[5, 50_004]]);
  expect(quarantine.toSnapshot().examples).toHaveLength(20);
});

it('a flood between valid messages, acknowledged one by one, costs one pass in all', () => {
  const pairs = 100_000;
  const quarantine = new Quarantine();
  for (let i = 1; i <= pairs; i++) quarantine.add(message(2 * i));
  const everyOther = Array.from({ length: pairs / 2 }, (_, i): SequenceRange => [4 * (i + 1), 4 * (i + 1)]);
  quarantine.acknowledge(everyOther.reverse());
  expect(quarantine.report()).toMatchObject({ count: pairs, unacknowledged: pairs / 2 });
  expect(quarantine.unacknowledged().slice(0, 2)).toEqual([
    [2, 2],
    [6, 6],
  ]);
  const restored = new Quarantine(throughJson(quarantine.toSnapshot()));
  expect(restored.report()).toEqual(quarantine.report());
});

it('an acknowledgement may cover parts of many ranges, and many may cover parts of one', () => {
  const quarantine = new Quarantine();
  for (const sequence of [1, 2, 3, 5, 6, 9, 10, 11, 12]) quarantine.add(message(sequence));
  quarantine.acknowledge([
    [11, 11],
    [2, 9],
    [7, 8],
    [4, 3],
  ]);
  expect(quarantine.unacknowledged()).toEqual([
    [1, 1],
    [10, 10],
    [12, 12],
  ]);
  expect(quarantine.toSnapshot().acknowledged).toEqual([
    [2, 9],
    [11, 11],
  ]);
});

it('a snapshot does not change when more void messages are found', () => {
  const quarantine = new Quarantine();
  quarantine.add(message(1));
  const stored = quarantine.toSnapshot();
  const before = throughJson(stored);
  const other = new Quarantine(stored);
  for (const one of [quarantine, other]) {
    one.add(message(2));
    one.acknowledge([[1, 1]]);
  }
  expect(stored).toEqual(before);
});

it('an acknowledged message stays void', () => {
  const quarantine = new Quarantine();
  quarantine.add(message(3));
  quarantine.acknowledge([[1, 9]]);
  expect(quarantine.has(3)).toBe(true);
  expect(quarantine.report()).toMatchObject({ count: 1, unacknowledged: 0 });
});
