import { ValidationPipe } from '@nestjs/common';
import type { ValidationError } from 'class-validator';
import { DomainError } from '#kernel';

/** The exact words of the reference. */
export const requiredMissing = 'Required parameters not provided';

export function missingParameters(): DomainError {
  return new DomainError('Malformed', 'required-missing', requiredMissing);
}

/**
 * DTOs ask "well formed?". A required field that is absent gives the reference's words; anything else a sentence that
 * names the field and what was expected. Unknown fields are passed over: newer clients send some.
 */
export function validationPipe(): ValidationPipe {
  return new ValidationPipe({
    transform: true,
    whitelist: true,
    forbidUnknownValues: false,
    exceptionFactory: (errors) => toDomainError(errors),
  });
}

function toDomainError(errors: ValidationError[]): DomainError {
  const flat = errors.flatMap((error) => flatten(error, ''));
  if (flat.some(({ missing }) => missing)) return missingParameters();
  return new DomainError('Malformed', 'bad-field', flat.map(({ message }) => message).join('; '));
}

/** Failing these means "not given": `@IsNotEmpty` stands on required fields only. */
const absence = ['isDefined', 'isNotEmpty'];

function flatten(error: ValidationError, prefix: string): { missing: boolean; message: string }[] {
  const field = prefix + error.property;
  const constraints = Object.entries(error.constraints ?? {});
  const missing = constraints.some(([name]) => absence.includes(name));
  // One sentence per field: the first broken rule says enough.
  const own = constraints
    .slice(0, 1)
    .map(([, message]) => ({ missing, message: message.replaceAll(error.property, field) }));
  return [...own, ...(error.children ?? []).flatMap((child) => flatten(child, `${field}.`))];
}
