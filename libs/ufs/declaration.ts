import type { UfsLocation } from './types.js';

/**
 * What a connector says of its paths and options before anything is opened. Pure: whoever checks a path or shows a mount
 * asks too, in processes that must not open anything.
 */
export interface ConnectorDeclaration {
  /** What stands before `://` in its locations: lower-case letters and digits. */
  readonly scheme: string;
  /** Other schemes that users write for it; in canonical paths `scheme` stands instead. */
  readonly aliases?: readonly string[];
  /** A path and a mount's root, for sentences about what is expected. */
  readonly examples: { readonly path: string; readonly root: string };
  /** Whether several slashes in a row mean what one does. Else each is one of the name. */
  readonly collapsesSlashes?: true;
  /**
   * What is wrong with the part between `//` and the next `/`.
   * @returns a stable code and a sentence without its subject; undefined: nothing
   */
  authorityFault(authority: string): { readonly code: string; readonly sentence: string } | undefined;
  /** Whether its locations are of the machine itself: a look at one needs no network. */
  readonly isLocal?: true;
  /**
   * Names the store that a location shows, for every location, also one that cannot be opened; begins with the scheme and
   * `:`. Without it all locations show the same store.
   */
  readonly storeOf?: (location: UfsLocation) => string;
  readonly options: DeclaredOptions;
}

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
