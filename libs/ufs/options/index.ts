import type { DeclaredOptions } from '../declared-options.js';
import { fileOptions } from '../file/file-options.js';
import { s3Options } from '../s3/s3-options.js';
import { s3Store } from '../s3/s3-store.js';

export { isBucketName } from '../s3/s3-options.js';

/** The options of every connector, by the scheme of its locations. `open.ts` holds what opens them. */
export const declaredOptions = { file: fileOptions, s3: s3Options } as const satisfies Record<string, DeclaredOptions>;

export type UfsSchemeName = keyof typeof declaredOptions;

/** `s3` of `s3://bucket/`; undefined where no connector has it. */
export function schemeOf(ufs: string): UfsSchemeName | undefined {
  const name = /^([a-z0-9+.-]+):\/\//.exec(ufs)?.[1] ?? '';
  return Object.hasOwn(declaredOptions, name) ? (name as UfsSchemeName) : undefined;
}

/** Whether an option's value may be stored and shown in clear. What no connector knows is a secret. */
export function isHarmlessOption(ufs: string, name: string): boolean {
  const scheme = schemeOf(ufs);
  const use = scheme === undefined ? undefined : declaredOptions[scheme].use(name, ufs);
  return use?.kind === 'taken' && use.harmless;
}

/**
 * Which store a mount shows, in a form that is the same for every mount of that store. Two mounts of one store name the
 * same bytes by the same UFS path; of two stores nothing is known. Files are the same at every worker, or the mount is
 * wrong, so that `file://` is one store.
 * @param options in clear as far as they are known
 */
export function storeOfLocation(ufs: string, options: Readonly<Record<string, string>>): string {
  return schemeOf(ufs) === 's3' ? s3Store({ ufs, options }) : `${schemeOf(ufs) ?? 'unknown'}:`;
}
