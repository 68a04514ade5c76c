/** All kinds of errors. `runtime/error-consequences.ts` says what each kind means for HTTP. */
export type ErrorKind = 'Malformed' | 'NotFound' | 'Refused' | 'StaleVersion' | 'Unavailable' | 'Bug';

export interface ErrorDetails {
  /** Overrides the kind's HTTP status where the reference documents another for this case. */
  httpStatus?: number;
  /** Fields of the HTTP answer beside or instead of `status`, where the reference documents them. */
  body?: Record<string, unknown>;
  /** When to try again, if known; sent as `Retry-After`. */
  retryAfterMs?: number;
  cause?: unknown;
}

export class DomainError extends Error {
  override readonly name = 'DomainError';

  /** @param code stable, for programs. @param message one sentence, for people; never holds a secret. */
  constructor(
    readonly kind: ErrorKind,
    readonly code: string,
    message: string,
    readonly details: ErrorDetails = {},
  ) {
    super(message, details.cause === undefined ? undefined : { cause: details.cause });
  }
}

/** Closes a switch in `evolve`, which never throws: the compiler proves that this is never called. */
export function exhausted<State>(_event: never, state: State): State {
  return state;
}

/** Closes a switch over a union: the compiler proves that this is never called. */
export function unreachable(value: never): never {
  throw new DomainError('Bug', 'unreachable', `unexpected value ${JSON.stringify(value)}`);
}
