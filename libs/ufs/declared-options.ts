/** What a connector says of the options of a mount, before anything is opened. Pure: whoever shows a mount asks too. */

/** What a connector makes of an option, by its name. */
export type OptionUse =
  /** It takes effect. `harmless`: the value may be stored and shown in clear; every other value is a secret. */
  | { readonly kind: 'taken'; readonly harmless: boolean }
  /** Known from other systems and without meaning here: it is named as ignored, and its value is not kept. */
  | { readonly kind: 'idle' }
  | { readonly kind: 'unknown' };

export interface DeclaredOptions {
  /** @param ufs the mount's URI: some names hold the bucket's */
  use(name: string, ufs: string): OptionUse;
  /** Every spelling that takes effect on this mount, the plainest first. Empty where there are no options at all. */
  names(ufs: string): readonly string[];
}
