/** First and last sequence. */
export type SequenceRange = readonly [first: number, last: number];

/** A void message of the log, as operators see it. */
export interface QuarantinedMessage {
  readonly sequence: number;
  readonly boundary: string;
  readonly reason: string;
}

/** The void messages found in the log. */
export interface QuarantineReport {
  readonly count: number;
  /** How many no operator has recorded as void yet. */
  readonly unacknowledged: number;
  /** A few of the newest. */
  readonly examples: readonly QuarantinedMessage[];
}

const keptExamples = 20;

/** The shape of a quarantine in a snapshot. */
export interface StoredQuarantine {
  readonly void: readonly SequenceRange[];
  readonly acknowledged: readonly SequenceRange[];
  readonly examples: readonly QuarantinedMessage[];
}

/**
 * The void messages, by sequence. Consecutive ones form one range and take as much room as a single one. Void messages
 * that alternate with valid ones form a range each, so there can be many ranges. Therefore counts are kept up to date:
 * a report costs the same for any number of ranges, and an acknowledgement costs one pass over them.
 */
export class Quarantine {
  private readonly void: [number, number][];
  /** In order, without overlaps. */
  private acknowledged: SequenceRange[];
  private readonly examples: QuarantinedMessage[];
  private count: number;
  /** How many are unacknowledged; undefined when it must be counted again. */
  private open: number | undefined;

  constructor(stored: StoredQuarantine = { void: [], acknowledged: [], examples: [] }) {
    this.void = stored.void.map(([first, last]) => [first, last]);
    this.acknowledged = joined(stored.acknowledged);
    this.examples = [...stored.examples];
    this.count = sizeOf(this.void);
  }

  /** To be called in the order of the log. */
  add(message: QuarantinedMessage): void {
    const last = this.void.at(-1);
    if (last?.[1] === message.sequence - 1) last[1] = message.sequence;
    else this.void.push([message.sequence, message.sequence]);
    this.count++;
    if (this.open !== undefined && !isWithin(this.acknowledged, message.sequence)) this.open++;
    this.examples.push(message);
    if (this.examples.length > keptExamples) this.examples.shift();
  }

  /** An operator has recorded that these are void. */
  acknowledge(ranges: readonly SequenceRange[]): void {
    this.acknowledged = joined([...this.acknowledged, ...ranges]);
    this.open = undefined;
  }

  has(sequence: number): boolean {
    return isWithin(this.void, sequence);
  }

  /** The void ranges up to and including a sequence. */
  through(sequence: number): SequenceRange[] {
    return this.void
      .filter(([first]) => first <= sequence)
      .map(([first, last]): SequenceRange => [first, Math.min(last, sequence)]);
  }

  /** Those that no operator has recorded as void yet. */
  unacknowledged(): SequenceRange[] {
    const open: SequenceRange[] = [];
    let next = 0;
    for (const [first, last] of this.void) {
      let from = first;
      while (next < this.acknowledged.length && this.acknowledged[next][1] < first) next++;
      // The last acknowledged range here may reach into the next void range, too.
      for (let i = next; i < this.acknowledged.length && this.acknowledged[i][0] <= last; i++) {
        const [known, through] = this.acknowledged[i];
        if (known > from) open.push([from, known - 1]);
        from = through + 1;
        next = i;
      }
      if (from <= last) open.push([from, last]);
    }
    return open;
  }

  report(): QuarantineReport {
    this.open ??= sizeOf(this.unacknowledged());
    return { count: this.count, unacknowledged: this.open, examples: [...this.examples] };
  }

  toSnapshot(): StoredQuarantine {
    return { void: this.through(Infinity), acknowledged: [...this.acknowledged], examples: [...this.examples] };
  }
}

/** Sorts the ranges, and joins those that overlap or touch. */
function joined(ranges: readonly SequenceRange[]): SequenceRange[] {
  const all: [number, number][] = [];
  for (const [first, last] of [...ranges].sort(([a], [b]) => a - b)) {
    const before = all.at(-1);
    if (last < first) continue;
    if (before && first <= before[1] + 1) before[1] = Math.max(before[1], last);
    else all.push([first, last]);
  }
  return all;
}

/** @param ranges in order, without overlaps */
function isWithin(ranges: readonly SequenceRange[], sequence: number): boolean {
  let [low, high] = [0, ranges.length - 1];
  while (low <= high) {
    const middle = (low + high) >> 1;
    const [first, last] = ranges[middle];
    if (sequence < first) high = middle - 1;
    else if (sequence > last) low = middle + 1;
    else return true;
  }
  return false;
}

function sizeOf(ranges: readonly SequenceRange[]): number {
  return ranges.reduce((sum, [first, last]) => sum + last - first + 1, 0);
}
