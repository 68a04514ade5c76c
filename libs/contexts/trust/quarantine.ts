/** First and last sequence. */
export type SequenceRange = readonly [first: number, last: number];

/** A message of the log that is not part of its history, as operators see it. */
export interface QuarantinedMessage {
  readonly sequence: number;
  readonly boundary: string;
  readonly reason: string;
}

/** What has been found in the log that does not hold. */
export interface QuarantineReport {
  readonly count: number;
  /** Those that no operator has recorded as void yet. */
  readonly unacknowledged: number;
  /** The newest of them, a few. */
  readonly examples: readonly QuarantinedMessage[];
}

const keptExamples = 20;

/** The shape of a quarantine in a snapshot. */
export interface StoredQuarantine {
  readonly void: readonly SequenceRange[];
  readonly acknowledged: readonly SequenceRange[];
  readonly examples: readonly QuarantinedMessage[];
}

/** The messages that do not hold, by sequence. A flood of them is one range, so it takes no more room than one. */
export class Quarantine {
  private readonly void: [number, number][];
  private readonly acknowledged: SequenceRange[];
  private readonly examples: QuarantinedMessage[];

  constructor(stored: StoredQuarantine = { void: [], acknowledged: [], examples: [] }) {
    this.void = stored.void.map(([first, last]) => [first, last]);
    this.acknowledged = [...stored.acknowledged];
    this.examples = [...stored.examples];
  }

  /** In the order of the log. */
  add(message: QuarantinedMessage): void {
    const last = this.void.at(-1);
    if (last?.[1] === message.sequence - 1) last[1] = message.sequence;
    else this.void.push([message.sequence, message.sequence]);
    this.examples.push(message);
    if (this.examples.length > keptExamples) this.examples.shift();
  }

  /** An operator has recorded that these are void. */
  acknowledge(ranges: readonly SequenceRange[]): void {
    this.acknowledged.push(...ranges);
  }

  has(sequence: number): boolean {
    let [low, high] = [0, this.void.length - 1];
    while (low <= high) {
      const middle = (low + high) >> 1;
      const [first, last] = this.void[middle];
      if (sequence < first) high = middle - 1;
      else if (sequence > last) low = middle + 1;
      else return true;
    }
    return false;
  }

  /** All through a sequence. */
  through(sequence: number): SequenceRange[] {
    return this.void
      .filter(([first]) => first <= sequence)
      .map(([first, last]): SequenceRange => [first, Math.min(last, sequence)]);
  }

  /** Those that no operator has recorded as void yet. */
  unacknowledged(): SequenceRange[] {
    let open: SequenceRange[] = this.void.map(([first, last]) => [first, last]);
    for (const known of this.acknowledged) open = open.flatMap((range) => without(range, known));
    return open;
  }

  report(): QuarantineReport {
    return {
      count: sizeOf(this.void),
      unacknowledged: sizeOf(this.unacknowledged()),
      examples: [...this.examples],
    };
  }

  toSnapshot(): StoredQuarantine {
    return { void: this.through(Infinity), acknowledged: [...this.acknowledged], examples: [...this.examples] };
  }
}

function without([first, last]: SequenceRange, [from, to]: SequenceRange): SequenceRange[] {
  if (to < first || from > last) return [[first, last]];
  const left: SequenceRange[] = first < from ? [[first, from - 1]] : [];
  return last > to ? [...left, [to + 1, last]] : left;
}

function sizeOf(ranges: readonly SequenceRange[]): number {
  return ranges.reduce((sum, [first, last]) => sum + last - first + 1, 0);
}
