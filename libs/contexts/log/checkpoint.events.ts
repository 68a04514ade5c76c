import { z } from 'zod';
import { defineBoundary, type EventCatalogue, type EventOf } from '#kernel';

/** Bytes of each digest that a checkpoint keeps: enough to find the message at fault. The root proves the rest. */
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
   * Ranges of void messages up to and including `throughSequence`, each with its first and last sequence. The writer of
   * the checkpoint had verified all other messages. Absent in checkpoints from before messages were signed, and when
   * there are too many ranges for one message.
   */
  void: z.array(z.tuple([z.number(), z.number()])).optional(),
  /** The key of the key ring that signed the checkpoint. */
  keyId: z.string(),
  /** HMAC-SHA256 over `<throughSequence>:<root>`, hexadecimal: a checkpoint cannot be made without the key. */
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
 * Checkpoints over the whole log. Each covers the messages since the checkpoint before it. A reader who trusts a
 * checkpoint can find the covered message that was changed, removed or inserted.
 */
export const checkpointBoundary = defineBoundary('checkpoint', checkpointEvents);
export type CheckpointEvent = EventOf<typeof checkpointEvents>;
