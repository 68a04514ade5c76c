import { z } from 'zod';
import { DomainError, exhausted, unreachable, type Decider, type EventCatalogue } from '#kernel';

/**
 * The log about itself: which log it is, and from which one it was restored. Kept in the log and not in NATS'
 * configuration, so that it travels with a backup and is covered by the hash chain.
 */
export const logBoundary = 'log';

// ---- events ----

const logStartedSchema = z.object({
  /** Made once, by whoever found the log empty. */
  logId: z.string(),
});
const logRestoredSchema = z.object({
  /** The new identity: what happens from here on is another history than the one the backup was taken from. */
  logId: z.string(),
  /** Identity of the log that the backup was taken from. */
  parentId: z.string(),
  /** Last sequence that was restored. */
  throughSequence: z.number(),
  /** Rolling digest of everything that was restored (`rollDigest`). */
  root: z.string(),
});

export type LogEvent =
  | { type: 'LogStarted'; data: z.infer<typeof logStartedSchema> }
  | { type: 'LogRestored'; data: z.infer<typeof logRestoredSchema> };

export const logEvents = {
  LogStarted: { v: 1, description: 'The log got its identity.', schema: logStartedSchema },
  LogRestored: {
    v: 1,
    description: 'The log up to here was restored from a backup; what its original held beyond that is given up.',
    schema: logRestoredSchema,
  },
} as const satisfies EventCatalogue;

// ---- state ----

export interface LogAncestor {
  readonly logId: string;
  /** How far this log shares that one's history. */
  readonly throughSequence: number;
}

export interface LogState {
  /** Undefined before the first event. */
  readonly logId?: string;
  /** The logs that this one was restored from, oldest first. */
  readonly ancestors: readonly LogAncestor[];
}

const initial: LogState = { ancestors: [] };

function evolve(state: LogState, event: LogEvent): LogState {
  switch (event.type) {
    case 'LogStarted':
      return { ...state, logId: event.data.logId };
    case 'LogRestored': {
      const { logId, parentId, throughSequence } = event.data;
      return { logId, ancestors: [...state.ancestors, { logId: parentId, throughSequence }] };
    }
    default:
      return exhausted(event, state);
  }
}

// ---- commands ----

export type LogCommand =
  { type: 'StartLog'; logId: string } | { type: 'RecordRestore'; logId: string; throughSequence: number; root: string };

// ---- decide ----

function decide(state: LogState, command: LogCommand): LogEvent[] {
  switch (command.type) {
    case 'StartLog':
      return state.logId === undefined ? [{ type: 'LogStarted', data: { logId: command.logId } }] : [];
    case 'RecordRestore': {
      const { logId, throughSequence, root } = command;
      if (state.logId === logId) return [];
      if (state.logId === undefined) {
        throw new DomainError('Refused', 'log-without-identity', 'a log that has no identity cannot be restored');
      }
      return [{ type: 'LogRestored', data: { logId, parentId: state.logId, throughSequence, root } }];
    }
    default:
      return unreachable(command);
  }
}

export const log: Decider<LogState, LogCommand, LogEvent> = { initial, evolve, decide };
