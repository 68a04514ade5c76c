import { z } from 'zod';
import { count, oneOfTexts } from '#schema';
import { policyAnswer, type PolicyDeclaration } from './policy.js';

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
      description: 'Bytes that may be cached below the path; 0 allows none.',
    },
    answer: policyAnswer(
      {
        state: oneOfTexts(
          ['Available', 'Exceeded'],
          'Exceeded: used and reserved bytes are more than the quota. Not with `asOf`.',
        ),
        quotaBytes: count('Bytes that may be cached below it.'),
        usedBytes: count('Bytes cached below it, every replica counted. Not with `asOf`: only heartbeats know.'),
        reservedBytes: count('Bytes that running loads have planned below it and not yet loaded.'),
      },
      ['state', 'usedBytes'],
    ),
    example: {
      value: 10737418240,
      answer: { state: 'Available', quotaBytes: 10737418240, usedBytes: 9663676416, reservedBytes: 1073741824 },
    },
  },
} as const satisfies PolicyDeclaration;
