import { z } from 'zod';
import { count } from '#schema';
import { policyAnswer, type PolicyDeclaration } from '../policy.js';

/** An invented kind of policy: how many copies below a directory may never be evicted. */
export const pinPolicy = {
  noun: 'Pin',
  record: 'pins',
  field: 'copies',
  value: z.number(),
  events: { set: 'A directory got a pin, or another one.', removed: 'The pin of a directory was removed.' },
  item: 'pin',
  http: {
    route: 'pin',
    description: 'Copies that are never evicted.',
    what: 'pin',
    request: { kind: 'number', unit: 'copies', min: 1, description: 'Copies of each file that stay.' },
    answer: policyAnswer({ copies: { ...count('Copies of each file that stay.'), minimum: 1 } }),
    example: { value: 2, answer: { copies: 2 } },
  },
} as const satisfies PolicyDeclaration;
