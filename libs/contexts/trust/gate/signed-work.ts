import { signedBytes, type Signer, splitSignature, withSignature, type WorkSeal } from '#jetstream';
import { type TrustRing } from './signing-keys.js';

export interface SignedWorkOptions {
  readonly ring: TrustRing;
  /** A coordinator's signer. Workers have none, because they send no batches. */
  readonly signer?: Signer;
  /** Batches up to and including this sequence of the work stream may be unsigned. */
  readonly unsignedThrough: () => number;
}

/** Signs batches as a coordinator and checks signatures. A worker accepts only batches that a coordinator signed. */
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
