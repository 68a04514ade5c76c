import { applyDecorators } from '@nestjs/common';
import { Type } from 'class-transformer';
import { IsDefined, IsNotEmpty, IsOptional, ValidateBy, ValidateNested } from 'class-validator';
import type { Schema } from '#schema';
import { declareField, requestSchemaOf } from './schema.js';

/**
 * The fields of DTOs. Each decorator declares its field once: the schema in the API's document and the check of a request
 * both come from it.
 *
 * A check is one rule with one sentence about what is wrong, the type before the bounds. With a rule per decorator, their
 * order would decide which of them speaks. The sentence follows the field's name, or an index or a name in brackets where
 * it is about a part of the field.
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

const required = (schema: Schema, ...rules: PropertyDecorator[]): PropertyDecorator =>
  applyDecorators(
    declareField(() => schema, true),
    IsDefined(),
    ...rules,
  );
const optional = (schema: Schema, ...rules: PropertyDecorator[]): PropertyDecorator =>
  applyDecorators(
    declareField(() => schema, false),
    IsOptional(),
    ...rules,
  );

export const RequiredText = (description: string): PropertyDecorator =>
  required({ type: 'string', description, minLength: 1 }, IsNotEmpty(), rule('text', text()));
export const OptionalText = (description: string, maxLength?: number): PropertyDecorator =>
  optional(
    { type: 'string', description, ...(maxLength === undefined ? {} : { maxLength }) },
    rule('text', text(maxLength)),
  );

const wholeNumbers = (description: string, { min = 0, max = Number.MAX_SAFE_INTEGER }: NumberRange = {}): Schema => ({
  type: 'integer',
  minimum: min,
  maximum: max,
  description,
});
export const RequiredNumber = (description: string, range?: NumberRange): PropertyDecorator =>
  required(wholeNumbers(description, range), rule('wholeNumber', wholeNumber(range)));
export const OptionalNumber = (description: string, range?: NumberRange): PropertyDecorator =>
  optional(wholeNumbers(description, range), rule('wholeNumber', wholeNumber(range)));

export const OptionalFlag = (description: string): PropertyDecorator =>
  optional(
    { type: 'boolean', description },
    rule('flag', (value) => (typeof value === 'boolean' ? undefined : 'must be true or false')),
  );

const lists = (description: string, maxItems: number): Schema => ({
  type: 'array',
  items: { type: 'string', minLength: 1 },
  description,
  maxItems,
});
export const RequiredTexts = (description: string, maxEntries: number): PropertyDecorator =>
  required(lists(description, maxEntries), rule('texts', texts(maxEntries)));
/** @param advice for clients with more entries than that */
export const OptionalTexts = (description: string, maxEntries: number, advice?: string): PropertyDecorator =>
  optional(lists(description, maxEntries), rule('texts', texts(maxEntries, advice)));

type RecordFault = (record: object) => string | undefined;
const records = (description: string, maxLength: number): Schema => ({
  type: 'object',
  additionalProperties: { type: 'string', maxLength },
  description,
});
const record = (fault: RecordFault): Fault => {
  return (value) => (isRecord(value) ? fault(value) : 'must be an object');
};
/** An object of texts by name, each no longer than that. @param fault of an object; that it is one has been checked */
export const RequiredRecord = (description: string, maxLength: number, fault: RecordFault): PropertyDecorator =>
  required(records(description, maxLength), rule('record', record(fault)));
export const OptionalRecord = (description: string, maxLength: number, fault: RecordFault): PropertyDecorator =>
  optional(records(description, maxLength), rule('record', record(fault)));

/** An object with fields of its own. */
export const OptionalObject = (type: () => new () => object): PropertyDecorator =>
  applyDecorators(
    declareField(() => requestSchemaOf(type()), false),
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
