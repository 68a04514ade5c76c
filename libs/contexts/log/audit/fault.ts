/**
 * What is wrong with a log. `altered`: something was changed, removed or slipped in, and what is left does not tell
 * which.
 */
export interface Fault {
  readonly kind: 'changed' | 'removed' | 'inserted' | 'altered';
  /** The first message at fault: of one that was removed, the place where it stood. */
  readonly sequence: number;
  /** Where what is left does not tell the place exactly: the first message at fault is one of these. */
  readonly possible: { readonly from: number; readonly through: number };
  /** One or two sentences. */
  readonly why: string;
}

/** A fault whose place is known. */
export function faultAt(kind: Fault['kind'], sequence: number, why: string): Fault {
  return { kind, sequence, possible: { from: sequence, through: sequence }, why };
}

/** The same for a fault somewhere in a stretch. */
export function faultWithin(from: number, through: number, sequence: number, why: string): Fault {
  return { kind: 'altered', sequence, possible: { from, through }, why };
}

const isExact = ({ possible }: Fault): boolean => possible.from === possible.through;

/** The first of several; one whose place is known rather than one that may be the same and does not know where. */
export function firstFault(faults: readonly Fault[]): Fault | undefined {
  const inOrder = [...faults].sort(
    (a, b) => a.possible.from - b.possible.from || a.possible.through - b.possible.through,
  );
  const [first] = inOrder;
  if (first === undefined || isExact(first)) return first;
  return inOrder.find((fault) => isExact(fault) && fault.sequence <= first.possible.through) ?? first;
}

/**
 * The first fault, where `vague` ones only say that there is one somewhere in a long stretch: what is found within that
 * stretch explains it.
 */
export function firstOf(precise: readonly Fault[], vague: readonly Fault[]): Fault | undefined {
  const [near, wide] = [firstFault(precise), firstFault(vague)];
  return near && (!wide || near.possible.from <= wide.possible.through) ? near : wide;
}
