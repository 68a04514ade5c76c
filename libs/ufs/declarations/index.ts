import type { ConnectorDeclaration } from '../declaration.js';
import { declarations } from './list.js';

export type { ConnectorDeclaration } from '../declaration.js';

export type UfsSchemeName = (typeof declarations)[number]['scheme'];
export const connectors: readonly ConnectorDeclaration[] = declarations;

/** The connector for a location's canonical URI, such as `s3://bucket/`; undefined where there is none. */
export function connectorOf(ufs: string): ConnectorDeclaration | undefined {
  const name = /^([a-z0-9+.-]+):\/\//.exec(ufs)?.[1];
  return connectors.find(({ scheme }) => scheme === name);
}

/** The connector for any spelling of its scheme, in lower case. */
export function connectorMeant(name: string): ConnectorDeclaration | undefined {
  return connectors.find(({ scheme, aliases }) => scheme === name || aliases?.includes(name));
}

/** Whether an option's value may be stored and shown in clear. An option that no connector knows is a secret. */
export function isHarmlessOption(ufs: string, name: string): boolean {
  const use = connectorOf(ufs)?.options.use(name, ufs);
  return use?.kind === 'taken' && use.harmless;
}

/**
 * The store that a mount shows, in a form that is the same for every mount of that store. Two mounts of one store name
 * the same bytes by the same UFS path; about two stores nothing is known.
 * @param options in clear as far as they are known
 */
export function storeOfLocation(ufs: string, options: Readonly<Record<string, string>>): string {
  const connector = connectorOf(ufs);
  return connector?.storeOf?.({ ufs, options }) ?? `${connector?.scheme ?? 'unknown'}:`;
}
