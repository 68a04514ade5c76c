import type { BackupMessage } from '#contexts/log/backup';
import type { DecodedCommit } from '#jetstream';
import type { RecordedEvent } from '#kernel';
import type { Replayed } from './aggregates.js';
import { masked } from './mask.js';

/** One event, and the state of the aggregate after it. Contains no secrets. */
export interface Step {
  readonly sequence: number;
  /** When the log stored it, ISO 8601. */
  readonly recordedAt: string;
  readonly event: RecordedEvent;
  readonly state: unknown;
}

export interface ReplayLimits {
  readonly until?: { readonly sequence: number } | { readonly timeMs: number };
  /** Steps before this are applied but not returned. */
  readonly from?: { readonly sequence: number } | { readonly timeMs: number };
}

/**
 * The steps in the history of an aggregate. @param admit decodes a message; undefined for a void one
 * @throws UnknownEventError for a message that this build cannot read
 */
export async function* replaySteps(
  messages: AsyncIterable<BackupMessage>,
  admit: (message: BackupMessage) => Promise<DecodedCommit | undefined>,
  aggregate: Replayed,
  limits: ReplayLimits,
): AsyncGenerator<Step> {
  for await (const message of messages) {
    const { until, from } = limits;
    if (until && isBeyond(message, until)) return;
    // Pass every message to `admit`: whether one is valid depends on the messages before it.
    const commit = await admit(message);
    if (!commit || !aggregate.mayConcern(message.boundary)) continue;
    const { sequence, boundary } = message;
    const asked = !from || !isBefore(message, from);
    if (!aggregate.concerns(commit)) continue;
    for (const event of commit.events) {
      aggregate.apply({ sequence, boundary, events: [event] });
      if (!asked) continue;
      const recordedAt = new Date(message.recordedAtMs).toISOString();
      const state = masked(JSON.parse(JSON.stringify(aggregate.state() ?? null)));
      yield { sequence, recordedAt, event: masked(event) as RecordedEvent, state };
    }
  }
}

type Point = NonNullable<ReplayLimits['until']>;

function isBeyond({ sequence, recordedAtMs }: BackupMessage, point: Point): boolean {
  return 'sequence' in point ? sequence > point.sequence : recordedAtMs > point.timeMs;
}

function isBefore({ sequence, recordedAtMs }: BackupMessage, point: Point): boolean {
  return 'sequence' in point ? sequence < point.sequence : recordedAtMs < point.timeMs;
}
