import type { UfsLocation } from './types.js';

/**
 * What a connector declares about its paths and options before anything is opened. Pure: processes that must not open
 * anything use it too, to check a path or show a mount.
 */
export interface ConnectorDeclaration {
  /** The part before `://` in its locations: lower-case letters and digits. */
  readonly scheme: string;
  /** Other schemes that users write for it. Canonical paths have `scheme` instead. */
  readonly aliases?: readonly string[];
  /** A path and a mount's root, for sentences that explain what is expected. */
  readonly examples: { readonly path: string; readonly root: string };
  /** Whether several slashes in a row mean one. Otherwise each is part of the name. */
  readonly collapsesSlashes?: true;
  /**
   * The fault of the part between `//` and the next `/`.
   * @returns a stable code and a sentence without its subject; undefined: no fault
   */
  authorityFault(authority: string): { readonly code: string; readonly sentence: string } | undefined;
  /** Whether its locations are on the machine itself: checking one needs no network. */
  readonly isLocal?: true;
  /**
   * Names the store that a location shows, for every location, also one that cannot be opened. Begins with the scheme
   * and `:`. Without it all locations show the same store.
   */
  readonly storeOf?: (location: UfsLocation) => string;
  readonly options: DeclaredOptions;
}

/** How a connector treats an option, by the option's name. */
export type OptionUse =
  /** It takes effect. `harmless`: the value may be stored and shown in clear; every other value is a secret. */
  | { readonly kind: 'taken'; readonly harmless: boolean }
  /** Known from other systems and without meaning here: it is reported as ignored, and its value is not kept. */
  | { readonly kind: 'idle' }
  | { readonly kind: 'unknown' };

export interface DeclaredOptions {
  /** @param ufs the mount's URI: some names contain the bucket's */
  use(name: string, ufs: string): OptionUse;
  /** Every spelling that takes effect on this mount, the plainest first. Empty where the connector has no options. */
  names(ufs: string): readonly string[];
}
