import { applyDecorators } from '@nestjs/common';
import { Type } from 'class-transformer';
import { IsDefined, IsNotEmpty, IsOptional, ValidateBy, ValidateNested } from 'class-validator';

/**
 * The fields of DTOs. Each has one rule with one sentence about what is wrong, and the rule checks the type before the
 * bounds. With several decorators for one field, their order would decide which sentence is shown. The sentence follows
 * the field's name; it begins with an index or a name in brackets if it is about a part of the field.
 */

/** What is wrong with a value, as a sentence without its subject: `must be …`, `[3] must be …`; undefined: nothing. */
export type Fault = (value: unknown) => string | undefined;

export interface NumberRange {
  readonly min?: number;
  readonly max?: number;
  /** What is counted: `bytes per second`. */
  readonly unit?: string;
}

const rule = (name: string, fault: Fault): PropertyDecorator =>
  ValidateBy({
    name,
    validator: {
      validate: (value) => fault(value) === undefined,
      defaultMessage: (about) => fault(about?.value) ?? '',
    },
  });

export const RequiredText = (): PropertyDecorator => applyDecorators(IsDefined(), IsNotEmpty(), rule('text', text()));
export const OptionalText = (maxLength?: number): PropertyDecorator =>
  applyDecorators(IsOptional(), rule('text', text(maxLength)));

export const RequiredNumber = (range?: NumberRange): PropertyDecorator =>
  applyDecorators(IsDefined(), rule('wholeNumber', wholeNumber(range)));
export const OptionalNumber = (range?: NumberRange): PropertyDecorator =>
  applyDecorators(IsOptional(), rule('wholeNumber', wholeNumber(range)));

export const OptionalFlag = (): PropertyDecorator =>
  applyDecorators(
    IsOptional(),
    rule('flag', (value) => (typeof value === 'boolean' ? undefined : 'must be true or false')),
  );

export const RequiredTexts = (maxEntries: number): PropertyDecorator =>
  applyDecorators(IsDefined(), rule('texts', texts(maxEntries)));
/** @param advice added when there are more entries than that */
export const OptionalTexts = (maxEntries: number, advice?: string): PropertyDecorator =>
  applyDecorators(IsOptional(), rule('texts', texts(maxEntries, advice)));

/** @param fault checks the object; the type has been checked before */
export const OptionalRecord = (fault: (record: object) => string | undefined): PropertyDecorator =>
  applyDecorators(
    IsOptional(),
    rule('record', (value) => (isRecord(value) ? fault(value) : 'must be an object')),
  );

/** An object with fields of its own. */
export const OptionalObject = (type: () => new () => object): PropertyDecorator =>
  applyDecorators(
    IsOptional(),
    rule('object', (value) => (isRecord(value) ? undefined : 'must be an object')),
    ValidateNested(),
    Type(type),
  );

function text(maxLength = Infinity): Fault {
  return (value) => {
    if (typeof value !== 'string') return 'must be a string';
    return value.length > maxLength ? `must not be longer than ${maxLength} characters` : undefined;
  };
}

function wholeNumber({ min = 0, max = Number.MAX_SAFE_INTEGER, unit }: NumberRange = {}): Fault {
  const what = unit === undefined ? '' : ` of ${unit}`;
  return (value) => {
    if (typeof value !== 'number' || !Number.isInteger(value)) return `must be a whole number${what}`;
    return value < min || value > max ? `must be a whole number${what} from ${min} to ${max}` : undefined;
  };
}

function texts(maxEntries: number, advice?: string): Fault {
  return (value) => {
    if (!Array.isArray(value)) return 'must be a list of strings';
    if (value.length > maxEntries) return `must hold no more than ${maxEntries} entries${advice ? `; ${advice}` : ''}`;
    const at = value.findIndex((entry) => typeof entry !== 'string' || entry === '');
    if (at < 0) return undefined;
    return `[${at}] ${value[at] === '' ? 'must not be empty' : 'must be a string'}`;
  };
}

function isRecord(value: unknown): value is object {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
