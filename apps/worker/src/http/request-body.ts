import type { z } from 'zod';
import { DomainError } from '#kernel';
import { missingParameters } from '#runtime';

/** @throws DomainError Malformed, naming the field at fault */
export function bodyOf<T>(schema: z.ZodType<T>, body: unknown): T {
  if (body === undefined || body === null) throw missingParameters();
  const parsed = schema.safeParse(body);
  if (parsed.success) return parsed.data;
  const [issue] = parsed.error.issues;
  const field = issue.path.join('.') || 'the body';
  throw new DomainError('Malformed', 'bad-body', `${field}: ${issue.message}`);
}
