import { carrying, type AnswerOf, type SchemaOf } from './schema.js';

/** Short ways to write the schemas of answers. What they return carries the type of the value. */

/** The fields of an object, by name. */
export type Properties = Readonly<Record<string, SchemaOf<unknown>>>;
type Name<Of extends Properties> = keyof Of & string;
type Flat<T> = { [Field in keyof T]: T[Field] };

/** The object that has these fields. */
export type FieldsOf<Of extends Properties, Optional extends Name<Of> = never> = Flat<
  { readonly [Field in Exclude<Name<Of>, Optional>]: AnswerOf<Of[Field]> } & {
    readonly [Field in Optional]?: AnswerOf<Of[Field]>;
  }
>;

/** An object: every field is there, but for the `optional` ones. */
export function answerObject<Of extends Properties, Optional extends Name<Of> = never>(
  properties: Of,
  optional: readonly Optional[] = [],
): SchemaOf<FieldsOf<Of, Optional>> {
  const left: readonly string[] = optional;
  const required = Object.keys(properties).filter((name) => !left.includes(name));
  return carrying({ type: 'object', properties, ...(required.length > 0 ? { required } : {}) });
}

/** An object with any names, and a value of this sort for each. */
export const recordOf = <Value>(values: SchemaOf<Value>, description: string) =>
  carrying<Readonly<Record<string, Value>>>({ type: 'object', additionalProperties: values, description });

export const listOf = <Item>(items: SchemaOf<Item>, description?: string) =>
  carrying<readonly Item[]>({ type: 'array', items, ...(description === undefined ? {} : { description }) });

export const text = (description: string) => carrying<string>({ type: 'string', description });
/** A text that the name of its list or record explains. */
export const plainText = carrying<string>({ type: 'string' });
export const oneOfTexts = <const Text extends string>(values: readonly Text[], description: string) =>
  carrying<Text>({ type: 'string', enum: values, description });
/** Always this text. */
export const constant = <const Text extends string>(value: Text) => carrying<Text>({ type: 'string', const: value });
export const uuid = (description: string) =>
  carrying<string>({ type: 'string', pattern: '^[0-9a-f-]{36}$', description });

export const flag = (description: string) => carrying<boolean>({ type: 'boolean', description });
/** A count or a number of bytes. */
export const count = (description: string) =>
  carrying<number>({ type: 'integer', minimum: 0, maximum: Number.MAX_SAFE_INTEGER, description });

/** Any value. */
export const anything = carrying<unknown>({});
