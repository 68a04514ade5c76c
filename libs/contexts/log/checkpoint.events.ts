import { z } from 'zod';
import { defineBoundary, type EventCatalogue, type EventOf } from '#kernel';

/** Bytes of a message's digest that a checkpoint keeps: enough to name the message at fault; the root proves the rest. */
export const keptDigestBytes = 8;

const logCheckpointedSchema = z.object({
  /** Covers the messages from here ... */
  fromSequence: z.number(),
  /** ... up to and including this one. */
  throughSequence: z.number(),
  /** Rolling digest (`rollDigest`) of all messages from the beginning of the log through `throughSequence`. */
  root: z.string(),
  /** The first `keptDigestBytes` of each covered message's digest, one after another, in base64. */
  digests: z.string(),
  /**
   * Those among all messages through `throughSequence` that are void, each range first and last. Whoever made the
   * checkpoint had verified the others, so it stands for that. Absent from checkpoints of before messages were signed, and
   * where there are too many for one message.
   */
  void: z.array(z.tuple([z.number(), z.number()])).optional(),
  /** Which key of the key ring signed it. */
  keyId: z.string(),
  /** HMAC-SHA256 over `<throughSequence>:<root>`, hexadecimal: without the key nobody can make a checkpoint. */
  mac: z.string(),
});
export type LogCheckpointedData = z.infer<typeof logCheckpointedSchema>;

export const checkpointEvents = {
  LogCheckpointed: {
    v: 2,
    description: 'The signed digest of the log up to a sequence, and which messages up to there are void.',
    schema: logCheckpointedSchema,
    upcast: { 1: (data: object) => data },
  },
} as const satisfies EventCatalogue;

/**
 * Checkpoints over the whole log. Each covers the messages since the one before it, so that whoever trusts a checkpoint
 * can tell which message of its stretch was changed, removed or slipped in.
 */
export const checkpointBoundary = defineBoundary('checkpoint', checkpointEvents);
export type CheckpointEvent = EventOf<typeof checkpointEvents>;
