import { z } from 'zod';
import { count } from '#schema';
import { policyAnswer, type PolicyDeclaration, type PolicyField } from './policy.js';

const seconds = {
  kind: 'number',
  unit: 'seconds',
  min: 1,
  description: 'Seconds from loading to expiry.',
} as const satisfies PolicyField;

/** Seconds from loading to expiry. The policy with the most specific path applies. */
export const ttlPolicy = {
  noun: 'Ttl',
  record: 'ttls',
  field: 'ttlSeconds',
  value: z.number(),
  events: {
    set: 'A directory got a time to live, or another one.',
    removed: 'The time to live of a directory was removed.',
  },
  item: 'TTL policy',
  http: {
    route: 'ttl',
    feature: { setting: 'ttl', off: 'TTL not enabled' },
    description: 'How long data stays cached. The most specific path wins.',
    what: 'TTL policy',
    request: seconds,
    answer: policyAnswer({ ttlSeconds: { ...count(seconds.description), minimum: seconds.min } }),
    example: { value: 600, answer: { ttlSeconds: 600 } },
  },
} as const satisfies PolicyDeclaration;
