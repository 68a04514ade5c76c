import { z } from 'zod';
import {
  defineBoundary,
  DomainError,
  exhausted,
  unreachable,
  type Decider,
  type EventCatalogue,
  type EventOf,
} from '#kernel';
import type { LogMark } from './log-mark.js';

// ---- events ----

const logStartedSchema = z.object({
  /** Made once, by the process that found the log empty. */
  logId: z.string(),
});
const logRestoredSchema = z.object({
  /** The new identity: from here on, the history differs from that of the log that the backup was taken from. */
  logId: z.string(),
  /** Identity of the log that the backup was taken from. */
  parentId: z.string(),
  /** Last sequence that was restored. */
  throughSequence: z.number(),
  /** Rolling digest of everything that was restored (`rollDigest`). */
  root: z.string(),
});

const logLossAcceptedSchema = z.object({
  /** The new identity: what was lost may not come back into this log. */
  logId: z.string(),
  /** Identity of the log that lost something. */
  parentId: z.string(),
  /** The highest sequence of that log that any witness had seen. */
  seenSequence: z.number(),
  /** Last sequence that was still there; 0 when nothing was left. */
  throughSequence: z.number(),
  /** Rolling digest of everything that was still there (`rollDigest`). */
  root: z.string(),
});

const signingBeganSchema = z.object({
  /** The key of LARDER_SIGNING_KEYS that signing began with. */
  keyId: z.string(),
  /** The public half of that key: Ed25519, 32 bytes in base64. */
  publicKey: z.string(),
  /** Last sequence of the work stream then. Batches up to it were sent before batches were signed. */
  workSequence: z.number(),
});

const messagesVoidedSchema = z.object({
  /** Ranges of void messages, each with its first and last sequence. */
  ranges: z.array(z.tuple([z.number(), z.number()])),
  reason: z.string(),
});

export const logEvents = {
  LogStarted: { v: 1, description: 'The log got its identity.', schema: logStartedSchema },
  LogRestored: {
    v: 1,
    description: 'The log up to here was restored from a backup. Later messages of the original log are given up.',
    schema: logRestoredSchema,
  },
  LogLossAccepted: {
    v: 1,
    description: 'An operator gave up the lost part of the log (`LARDER_ACCEPT_LOG`). The rest continues as a new log.',
    schema: logLossAcceptedSchema,
  },
  SigningBegan: {
    v: 1,
    description: 'From here on every message of the log must have a signature. A message without one is void.',
    schema: signingBeganSchema,
  },
  MessagesVoided: {
    v: 1,
    description: 'An operator has looked at void messages and recorded the reason for them.',
    schema: messagesVoidedSchema,
  },
} as const satisfies EventCatalogue;

/**
 * What the log records about itself: its identity, and the log from which it was restored. This is kept in the log and
 * not in the configuration of NATS, so that backups contain it and the hash chain covers it.
 */
export const logBoundary = defineBoundary('log', logEvents);
export type LogEvent = EventOf<typeof logEvents>;

// ---- state ----

export interface LogAncestor {
  readonly logId: string;
  /** Up to here, this log has the same history as that log. */
  readonly throughSequence: number;
}

export interface LogState {
  /** Undefined before the first event. */
  readonly logId?: string;
  /** The logs that this one continues, oldest first. */
  readonly ancestors: readonly LogAncestor[];
  /** Undefined before `SigningBegan`. */
  readonly signing?: { readonly keyId: string; readonly publicKey: string; readonly workSequence: number };
}

const initial: LogState = { ancestors: [] };

function evolve(state: LogState, event: LogEvent): LogState {
  switch (event.type) {
    case 'LogStarted':
      return { ...state, logId: event.data.logId };
    case 'LogRestored': {
      const { logId, parentId, throughSequence } = event.data;
      return { ...state, logId, ancestors: [...state.ancestors, { logId: parentId, throughSequence }] };
    }
    case 'LogLossAccepted': {
      const { logId, parentId, throughSequence } = event.data;
      // The lost log may have been replaced by a new log that already has an identity, but nothing else.
      const replaced = state.logId === undefined || state.logId === parentId ? [] : [state.logId];
      const parents = [...replaced, parentId].map((id) => ({ logId: id, throughSequence }));
      return { ...state, logId, ancestors: [...state.ancestors, ...parents] };
    }
    case 'SigningBegan':
      return { ...state, signing: event.data };
    case 'MessagesVoided':
      return state;
    default:
      return exhausted(event, state);
  }
}

// ---- commands ----

export type LogCommand =
  | { type: 'StartLog'; logId: string }
  | { type: 'BeginSigning'; keyId: string; publicKey: string; workSequence: number }
  | { type: 'VoidMessages'; ranges: [number, number][]; reason: string }
  | { type: 'RecordRestore'; logId: string; throughSequence: number; root: string }
  /** `lost`: the log that lost something, and how far it had been seen. */
  | { type: 'AcceptLoss'; logId: string; lost: LogMark; throughSequence: number; root: string };

// ---- decide ----

function decide(state: LogState, command: LogCommand): LogEvent[] {
  switch (command.type) {
    case 'StartLog':
      return state.logId === undefined ? [{ type: 'LogStarted', data: { logId: command.logId } }] : [];
    case 'BeginSigning': {
      const { keyId, publicKey, workSequence } = command;
      return state.signing ? [] : [{ type: 'SigningBegan', data: { keyId, publicKey, workSequence } }];
    }
    case 'VoidMessages': {
      const { ranges, reason } = command;
      return ranges.length === 0 ? [] : [{ type: 'MessagesVoided', data: { ranges, reason } }];
    }
    case 'RecordRestore': {
      const { logId, throughSequence, root } = command;
      if (state.logId === logId) return [];
      if (state.logId === undefined) {
        throw new DomainError('Refused', 'log-without-identity', 'a log that has no identity cannot be restored');
      }
      return [{ type: 'LogRestored', data: { logId, parentId: state.logId, throughSequence, root } }];
    }
    case 'AcceptLoss': {
      const { logId, lost, throughSequence, root } = command;
      if (state.ancestors.some((ancestor) => ancestor.logId === lost.logId)) return [];
      const data = { logId, parentId: lost.logId, seenSequence: lost.sequence, throughSequence, root };
      return [{ type: 'LogLossAccepted', data }];
    }
    default:
      return unreachable(command);
  }
}

export const log: Decider<LogState, LogCommand, LogEvent> = { initial, evolve, decide };
