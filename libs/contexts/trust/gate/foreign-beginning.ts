import { type CommitEnvelope } from '#jetstream';
import { DomainError } from '#kernel';

/** Error code: signing of the log began with a key that this process does not have. */
export const signingKeyUnknown = 'signing-key-unknown';

/**
 * If an unknown key began to sign the log, the log is not forged: this process has the wrong keys.
 * @param envelope signed by an unknown writer, before signatures are required
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
