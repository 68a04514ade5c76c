import { type NatsError } from 'nats';
import { DomainError } from '#kernel';

/** Error codes of JetStream's API that Larder tells apart (nats-server, `server/errors.json`). */
export const ApiCode = {
  /** Too few servers for the replicas asked for, or the cluster does not know all of its servers yet. */
  noSuitablePeers: 10005,
  /** A consumer of that name does not exist. */
  consumerNotFound: 10014,
  /** No message at that sequence, or none on that subject. */
  noMessageFound: 10037,
  /** A message could not be deleted. One possible reason: it does not exist. */
  messageDeleteFailed: 10057,
  /** A stream of that name exists, with another configuration. */
  streamNameInUse: 10058,
  streamNotFound: 10059,
  /** The subject's last sequence is not the expected one. Since 2.12 also the answer to a client's own retry. */
  wrongLastSequence: 10071,
  /** A publish with the same id is being processed (2.11 and later). */
  duplicateInProcess: 10158,
  /** A publish to the same subject is being processed (2.11 and later). */
  wrongLastSequenceInProcess: 10164,
} as const;

/** JetStream's own code of an error answer; undefined for anything else (timeouts, no responders, lost connections). */
export function apiCodeOf(error: unknown): number | undefined {
  return (error as NatsError | undefined)?.api_error?.err_code;
}

/**
 * Whether JetStream looked at a request and refused it: nothing was done, and asking again will not help. 5xx answers
 * (no leader, not enough resources, store failed) do not count as such.
 */
export function isDefiniteRefusal(error: unknown): boolean {
  const status = (error as NatsError | undefined)?.api_error?.code;
  return status !== undefined && status < 500;
}

export function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}

/** Another writer appended to the boundary since the caller looked at it. */
export class StaleVersionError extends DomainError {
  /** @param actual the boundary's last sequence now. */
  constructor(
    readonly boundary: string,
    readonly expected: number,
    readonly actual: number,
  ) {
    super('StaleVersion', 'stale-version', `"${boundary}" is at sequence ${actual} and not at ${expected} any more`);
  }
}

/** The log holds an event that this build does not know: a newer build has written to it. */
export class UnknownEventError extends DomainError {
  constructor(
    readonly type: string,
    readonly version: number,
    readonly sequence: number,
    why: string,
  ) {
    super('Bug', 'unknown-event', `event "${type}" version ${version} at sequence ${sequence} of the log: ${why}`);
  }
}

/** A message of the log is not in the form that Larder writes. */
export class CorruptEventError extends DomainError {
  constructor(
    readonly sequence: number,
    why: string,
    cause?: unknown,
  ) {
    super('Bug', 'corrupt-event', `the message at sequence ${sequence} of the log cannot be read: ${why}`, { cause });
  }
}

/** The log is not the one that this process has read: its end or a part of it is lost, or it was replaced. */
export class LogDamagedError extends DomainError {
  constructor(code: 'log-lost-tail' | 'log-gap' | 'log-replaced', message: string) {
    super('Bug', code, message);
  }
}

/** JetStream looked at an append and refused it. */
export function appendRefused(error: unknown): DomainError {
  return new DomainError('Unavailable', 'append-refused', `NATS refuses to store: ${messageOf(error)}`, {
    cause: error,
  });
}
