import { type Schema } from '#contexts/api-docs';

/**
 * Finds the errors of a value, by the JSON Schema vocabulary that the API's document uses. It is stricter than JSON Schema
 * in one point: an object that names its properties may hold no other, so that no field of an answer stays undocumented.
 * @param definitions by the name after `#/components/schemas/`
 * @throws Error for an unknown keyword: an unchecked part must not look checked
 */
export function violations(
  schema: Schema,
  value: unknown,
  definitions: Readonly<Record<string, Schema>> = {},
  at = '$',
): string[] {
  const unknown = Object.keys(schema).find((keyword) => !keywords.includes(keyword));
  if (unknown !== undefined) throw new Error(`the schema at ${at} has a keyword that is not checked: ${unknown}`);
  if (schema.$ref !== undefined) {
    const target = definitions[schema.$ref.slice('#/components/schemas/'.length)];
    if (!target) throw new Error(`the schema at ${at} refers to nothing: ${schema.$ref}`);
    return violations(target, value, definitions, at);
  }
  if (schema.anyOf) return anyOf(schema.anyOf, value, definitions, at);
  const type = typeViolation(schema, value, at);
  if (type !== undefined) return [type];
  if (typeof value === 'string') return stringViolations(schema, value, at);
  if (typeof value === 'number') return numberViolations(schema, value, at);
  if (Array.isArray(value)) return arrayViolations(schema, value, definitions, at);
  if (typeof value === 'object' && value !== null) {
    return objectViolations(schema, value as Record<string, unknown>, definitions, at);
  }
  return [];
}

const keywords = [
  ...[
    '$ref',
    'description',
    'type',
    'properties',
    'required',
    'additionalProperties',
    'items',
    'anyOf',
    'enum',
    'const',
  ],
  ...['pattern', 'minLength', 'maxLength', 'minItems', 'maxItems', 'minimum', 'maximum'],
];

function anyOf(
  schemas: readonly Schema[],
  value: unknown,
  definitions: Readonly<Record<string, Schema>>,
  at: string,
): string[] {
  const tried = schemas.map((schema) => violations(schema, value, definitions, at));
  if (tried.some((found) => found.length === 0)) return [];
  return [`${at} fits none of ${schemas.length} schemas: ${tried.map((found) => found.join(', ')).join(' | ')}`];
}

function typeViolation({ type }: Schema, value: unknown, at: string): string | undefined {
  if (type === undefined) return undefined;
  const actual = value === null ? 'null' : Array.isArray(value) ? 'array' : typeof value;
  const fits = type === 'integer' ? Number.isInteger(value) : type === actual;
  return fits ? undefined : `${at} is ${actual}, not ${type}: ${JSON.stringify(value)}`;
}

function stringViolations(schema: Schema, value: string, at: string): string[] {
  const { enum: values, const: only, pattern, minLength = 0, maxLength = Infinity } = schema;
  return [
    ...(values && !values.includes(value) ? [`${at} is none of ${values.join(', ')}: ${value}`] : []),
    ...(only !== undefined && value !== only ? [`${at} is not ${only}: ${value}`] : []),
    ...(pattern !== undefined && !new RegExp(pattern).test(value) ? [`${at} does not match ${pattern}: ${value}`] : []),
    ...(value.length < minLength ? [`${at} is shorter than ${minLength}`] : []),
    ...(value.length > maxLength ? [`${at} is longer than ${maxLength}`] : []),
  ];
}

function numberViolations({ minimum = -Infinity, maximum = Infinity }: Schema, value: number, at: string): string[] {
  return value < minimum || value > maximum ? [`${at} is not from ${minimum} to ${maximum}: ${value}`] : [];
}

function arrayViolations(
  { items, minItems = 0, maxItems = Infinity }: Schema,
  value: readonly unknown[],
  definitions: Readonly<Record<string, Schema>>,
  at: string,
): string[] {
  const length = value.length < minItems || value.length > maxItems ? [`${at} has ${value.length} entries`] : [];
  if (!items) return length;
  return [...length, ...value.flatMap((entry, i) => violations(items, entry, definitions, `${at}[${i}]`))];
}

function objectViolations(
  schema: Schema,
  value: Record<string, unknown>,
  definitions: Readonly<Record<string, Schema>>,
  at: string,
): string[] {
  const { properties = {}, required = [], additionalProperties } = schema;
  const missing = required.filter((name) => !Object.hasOwn(value, name)).map((name) => `${at}.${name} is missing`);
  const wrong = Object.entries(value).flatMap(([name, field]) => {
    const fieldSchema = Object.hasOwn(properties, name) ? properties[name] : additionalProperties;
    if (fieldSchema) return violations(fieldSchema, field, definitions, `${at}.${name}`);
    return schema.properties ? [`${at}.${name} is not documented`] : [];
  });
  return [...missing, ...wrong];
}
