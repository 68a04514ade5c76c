import type { ConnectorDeclaration } from '../declaration.js';

/**
 * Files must be the same at every worker, or the mount is wrong: so all of them are one store. There are no options.
 */
export const fileDeclaration = {
  scheme: 'file',
  examples: { path: 'file:///dir', root: 'file:///directory' },
  collapsesSlashes: true,
  authorityFault: (authority) =>
    authority === '' ? undefined : { code: 'file-with-host', sentence: 'must have the form file:///absolute/path' },
  isLocal: true,
  options: { use: () => ({ kind: 'unknown' }), names: () => [] },
} as const satisfies ConnectorDeclaration;
