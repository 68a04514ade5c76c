import { signedBytes, type Signer, splitSignature, withSignature, type WorkSeal } from '#jetstream';
import { type TrustRing } from './signing-keys.js';

export interface SignedWorkOptions {
  readonly ring: TrustRing;
  /** Of a coordinator; workers queue nothing. */
  readonly signer?: Signer;
  /** Batches through this sequence of the work stream are from before they were signed. */
  readonly unsignedThrough: () => number;
}

/** Batches carry a coordinator's signature: a worker does what coordinators ask, and nobody else. */
export function signedWork({ ring, signer, unsignedThrough }: SignedWorkOptions): WorkSeal {
  return {
    sealed: (context, batch) => (signer ? withSignature(context, batch, signer) : batch),
    holds: (context, message, sequence) => {
      const split = splitSignature(message);
      if (!split) return sequence <= unsignedThrough();
      return ring.hasSigned(signedBytes(context, split.body), split.signature);
    },
  };
}
