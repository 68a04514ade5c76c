import { z } from 'zod';
import type { PolicyDeclaration } from './policy.js';

/** Bytes that may be cached below a directory, counting every replica. All quotas above a path apply. */
export const quotaPolicy = {
  noun: 'Quota',
  record: 'quotas',
  field: 'quotaBytes',
  value: z.number(),
  events: { set: 'A directory got a quota, or another one.', removed: 'The quota of a directory was removed.' },
  item: 'quota item',
  http: {
    route: 'quota',
    feature: { setting: 'quota', off: 'Quota not enabled' },
    // Its controller waits for workers and reports how full a quota is: contexts/jobs/quota.
    hasOwnController: true,
    description: 'How many bytes may be cached below a directory. All quotas that apply must hold.',
    what: 'quota',
    request: {
      kind: 'number',
      unit: 'bytes',
      description: 'Bytes that may be cached below the path; 0 lets nothing in.',
    },
    answer: {
      state: {
        kind: 'text',
        oneOf: ['Available', 'Exceeded'],
        description: 'Exceeded: used and reserved bytes are more than the quota. Not with `asOf`.',
        optional: true,
      },
      quotaBytes: { kind: 'number', unit: 'bytes', description: 'Bytes that may be cached below it.' },
      usedBytes: {
        kind: 'number',
        unit: 'bytes',
        description: 'Bytes cached below it, every replica counted. Not with `asOf`: only heartbeats carry it.',
        optional: true,
      },
      reservedBytes: {
        kind: 'number',
        unit: 'bytes',
        description: 'Bytes that running loads have planned below it and not yet loaded.',
      },
    },
    example: {
      value: 10737418240,
      answer: { state: 'Available', quotaBytes: 10737418240, usedBytes: 9663676416, reservedBytes: 1073741824 },
    },
  },
} as const satisfies PolicyDeclaration;
