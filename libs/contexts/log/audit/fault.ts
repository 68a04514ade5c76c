/**
 * What is wrong with a log. `altered`: something was changed, removed or inserted, and the log does not show which of
 * these.
 */
export interface Fault {
  readonly kind: 'changed' | 'removed' | 'inserted' | 'altered';
  /** The first message at fault. For a removed message, the place where it was. */
  readonly sequence: number;
  /** The first message at fault is one of these. Longer than one message when the log does not show the exact place. */
  readonly possible: { readonly from: number; readonly through: number };
  /** One or two sentences. */
  readonly why: string;
}

/** A fault whose place is known. */
export function faultAt(kind: Fault['kind'], sequence: number, why: string): Fault {
  return { kind, sequence, possible: { from: sequence, through: sequence }, why };
}

/** An `altered` fault somewhere from `from` through `through`. */
export function faultWithin(from: number, through: number, sequence: number, why: string): Fault {
  return { kind: 'altered', sequence, possible: { from, through }, why };
}

const isExact = ({ possible }: Fault): boolean => possible.from === possible.through;

/** The first of several faults. If its place is not exact, an exact fault within its possible places is preferred. */
export function firstFault(faults: readonly Fault[]): Fault | undefined {
  const inOrder = [...faults].sort(
    (a, b) => a.possible.from - b.possible.from || a.possible.through - b.possible.through,
  );
  const [first] = inOrder;
  if (first === undefined || isExact(first)) return first;
  return inOrder.find((fault) => isExact(fault) && fault.sequence <= first.possible.through) ?? first;
}

/**
 * The first fault. A vague fault only says that something is wrong somewhere in a long stretch, so a precise fault
 * within that stretch explains it.
 */
export function firstOf(precise: readonly Fault[], vague: readonly Fault[]): Fault | undefined {
  const [near, wide] = [firstFault(precise), firstFault(vague)];
  return near && (!wide || near.possible.from <= wide.possible.through) ? near : wide;
}
