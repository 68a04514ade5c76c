import { type CommitEnvelope } from '#jetstream';
import { DomainError } from '#kernel';

/** Code of the error for a log that was begun with a key which this process was not given. */
export const signingKeyUnknown = 'signing-key-unknown';

/**
 * A log that another key began to sign is no forgery, but a process that was given the wrong keys.
 * @param envelope signed by nobody that is known, before signatures are owed
 * @throws DomainError Refused `signing-key-unknown`
 */
export function refuseForeignBeginning({ key, events }: CommitEnvelope): void {
  if (key === undefined || !events.some(({ type }) => type === 'SigningBegan')) return;
  const text =
    `the log is signed with the key "${key}", which this process does not know: give coordinators the ` +
    'LARDER_SIGNING_KEYS (or, where those are not set, the LARDER_SECRET_KEYS) that the log was begun with, and workers ' +
    'the LARDER_VERIFY_KEYS; docs/tamper-evidence.md says more';
  throw new DomainError('Refused', signingKeyUnknown, text, { body: { keyId: key } });
}
