import type { ConnectorDeclaration } from '../declaration.js';
import type { ConnectorOpening } from '../opening.js';
import { UfsError, type UfsConnector } from '../types.js';

/** A made-up connector, `mem://<shelf>/<name>`: both halves of it. */
export const memDeclaration = {
  scheme: 'mem',
  aliases: ['memory'],
  examples: { path: 'mem://shelf/dir', root: 'mem://shelf/' },
  collapsesSlashes: true,
  authorityFault: (authority) =>
    /^[a-z]+$/.test(authority) ? undefined : { code: 'bad-shelf', sentence: 'names no shelf' },
  storeOf: ({ ufs, options }) => `mem:${options['mem.room'] ?? 'hall'}/${ufs.split('/')[2]}`,
  options: {
    use: (name) =>
      name === 'mem.room' || name === 'mem.pass'
        ? { kind: 'taken', harmless: name === 'mem.room' }
        : { kind: 'unknown' },
    names: () => ['mem.room', 'mem.pass'],
  },
} as const satisfies ConnectorDeclaration;

export const memOpening: ConnectorOpening = {
  validate({ ufs, options }) {
    if (options['mem.room'] === '') throw new UfsError('Invalid', ufs, 'The option mem.room must not be empty.');
  },
  open: ({ ufs }) => ({ exists: (path: string) => Promise.resolve(path === ufs) }) as unknown as UfsConnector,
  probe: ({ ufs }) => Promise.resolve(`Nothing is there yet: ${ufs}.`),
};
