/** JSON Schema, as far as the bodies of this API need it. */
export interface Schema {
  $ref?: string;
  description?: string;
  type?: 'object' | 'array' | 'string' | 'integer' | 'number' | 'boolean';
  properties?: Readonly<Record<string, Schema>>;
  required?: readonly string[];
  additionalProperties?: Schema;
  items?: Schema;
  anyOf?: readonly Schema[];
  enum?: readonly string[];
  const?: string;
  pattern?: string;
  minLength?: number;
  maxLength?: number;
  minItems?: number;
  maxItems?: number;
  minimum?: number;
  maximum?: number;
}

/** Exists for the compiler only: no schema has this field when the program runs. */
declare const described: unique symbol;

/** A schema that carries the TypeScript type of the values that it describes. */
export type SchemaOf<Value> = Schema & { readonly [described]: Value };

/** The type of the values that a schema describes. */
export type AnswerOf<S extends SchemaOf<unknown>> = S[typeof described];

/** The schema of a reference to a schema that the document defines once, under this name. */
export const ref = <Value = unknown>(name: string): SchemaOf<Value> =>
  carrying<Value>({ $ref: `#/components/schemas/${name}` });

/** The only place where a schema gets its type. Each builder names the type of what its schema describes. */
export function carrying<Value>(schema: Schema): SchemaOf<Value> {
  return schema as SchemaOf<Value>;
}
