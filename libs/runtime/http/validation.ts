import { ValidationPipe } from '@nestjs/common';
import * as classTransformer from 'class-transformer';
import * as classValidator from 'class-validator';
import type { ValidationError } from 'class-validator';
import { DomainError } from '#kernel';

/** The reference prescribes this text. */
export const requiredMissing = 'Required parameters not provided';

export function missingParameters(): DomainError {
  return new DomainError('Malformed', 'required-missing', requiredMissing);
}

/**
 * Checks whether a DTO is well formed. A required field that is absent gives the reference's text, any other fault a
 * sentence that names the field and what was expected. Unknown fields are dropped here; `ignored-names.ts` reports
 * them.
 */
export function validationPipe(): ValidationPipe {
  return new ValidationPipe({
    transform: true,
    whitelist: true,
    forbidUnknownValues: false,
    // By itself Nest imports them dynamically, and such an import has no named exports in a bundle.
    transformerPackage: classTransformer,
    validatorPackage: classValidator,
    exceptionFactory: (errors) => toDomainError(errors),
  });
}

function toDomainError(errors: ValidationError[]): DomainError {
  const flat = errors.flatMap((error) => flatten(error, ''));
  if (flat.some(({ missing }) => missing)) return missingParameters();
  return new DomainError('Malformed', 'bad-field', flat.map(({ message }) => message).join('; '));
}

/** Failing one of these means "not given": `@IsNotEmpty` stands on required fields only. */
const absence = ['isDefined', 'isNotEmpty'];

function flatten(error: ValidationError, prefix: string): { missing: boolean; message: string }[] {
  const field = prefix + error.property;
  const { nestedValidation, ...constraints } = error.constraints ?? {};
  const missing = absence.some((name) => name in constraints);
  // A field has one rule (`fields.ts`). A value that is no object fails it, and also the check for nested objects.
  const sentence = Object.values(constraints).at(0) ?? nestedValidation;
  const own = sentence === undefined ? [] : [{ missing, message: about(field, sentence) }];
  return [...own, ...(error.children ?? []).flatMap((child) => flatten(child, `${field}.`))];
}

/** `paths`, `[3] must be a string` → `paths[3] must be a string`. */
function about(field: string, sentence: string): string {
  return /^[[.]/.test(sentence) ? field + sentence : `${field} ${sentence}`;
}
