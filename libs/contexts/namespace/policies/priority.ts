import { z } from 'zod';
import { DomainError } from '#kernel';
import { oneOfTexts } from '#schema';
import { policyAnswer, type PolicyDeclaration } from './policy.js';

/** In the order of eviction. */
export const priorities = ['low', 'medium', 'high'] as const;
export type Priority = (typeof priorities)[number];
export const defaultPriority: Priority = 'medium';

/** The lowest tier is evicted first. */
export const evictionTier = (priority: Priority) => priorities.indexOf(priority) as 0 | 1 | 2;

/** Which data below a directory is evicted first. The policy with the most specific path applies. */
export const priorityPolicy = {
  noun: 'Priority',
  record: 'priorities',
  field: 'priority',
  value: z.enum(priorities),
  events: {
    set: 'A directory got an eviction priority, or another one.',
    removed: 'The eviction priority of a directory was removed.',
  },
  item: 'priority rule',
  http: {
    route: 'priority',
    feature: { setting: 'priority', off: 'Priority eviction not enabled' },
    description: 'The order of eviction. The most specific path wins.',
    what: 'priority rule',
    request: { kind: 'text', description: 'HIGH, MEDIUM or LOW, in any case.' },
    parse: parsePriority,
    answer: policyAnswer({ priority: oneOfTexts(['high', 'medium', 'low'], 'LOW is evicted first.') }),
    example: { value: 'high', answer: { priority: 'high' } },
  },
} as const satisfies PolicyDeclaration;

function parsePriority(text: string): Priority {
  const priority = priorities.find((candidate) => candidate === text.toLowerCase());
  if (priority) return priority;
  throw new DomainError('Malformed', 'bad-priority', `priority must be HIGH, MEDIUM or LOW: ${text.slice(0, 100)}`);
}
