import type { DeclaredOptions } from '../declared-options.js';
import { fileOptions } from '../file/file-options.js';
import { s3Options } from '../s3/s3-options.js';

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
