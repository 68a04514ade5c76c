import type { Schema } from '#schema';

interface DeclaredField {
  readonly schema: () => Schema;
  readonly isRequired: boolean;
}

/** By the prototype of the class that declares them. */
const declared = new WeakMap<object, Map<string, DeclaredField>>();

/** Declares what a field of a DTO takes, for the API's document. */
export function declareField(schema: () => Schema, isRequired: boolean): PropertyDecorator {
  return (prototype, name) => {
    const fields = declared.get(prototype) ?? new Map<string, DeclaredField>();
    declared.set(prototype, fields.set(String(name), { schema, isRequired }));
  };
}

/** The schema of a request's body, from the fields of its DTO; those of the class that it extends come first. */
export function requestSchemaOf(dto: new () => object): Schema {
  const fields = [...fieldsOf(dto.prototype as object)];
  const required = fields.flatMap(([name, { isRequired }]) => (isRequired ? [name] : []));
  const properties = Object.fromEntries(fields.map(([name, { schema }]) => [name, schema()]));
  return { type: 'object', properties, ...(required.length > 0 ? { required } : {}) };
}

function fieldsOf(prototype: object): [string, DeclaredField][] {
  const base = Object.getPrototypeOf(prototype) as object | null;
  return [...(base === null ? [] : fieldsOf(base)), ...(declared.get(prototype) ?? [])];
}
