import { type SchemaOf } from './schema.js';

/**
 * Says that a value is an answer of the declared sort. It does not compile where the two differ: a field that is in one
 * and not in the other, at any depth, or a field of another type. TypeScript alone does not see a field too many that a
 * spread brings in, nor an optional field that is never given. Both would make the API's document untrue.
 *
 * `ignored` need not be given: it is added to an answer when it is sent.
 *
 * `const` keeps a text such as 'ONLINE' from becoming `string`. A type that does not fit `Declared` would be replaced by
 * `Declared`, which has no mismatch with itself.
 */
export function answerAs<Declared, const Given extends Declared>(
  _declared: SchemaOf<Declared>,
  given: Given & Agreeing<Given, Declared>,
): Declared {
  return given;
}

/** Anything, or what is wrong, as a type that no answer has: it stands in the compiler's message. */
type Agreeing<Given, Declared> = [Mismatch<Given, Declared>] extends [never] ? unknown : Mismatch<Given, Declared>;

/** The fields, as paths, that one of both has alone; never where they agree. */
export type Mismatch<Given, Declared> =
  | `not declared: ${Beyond<Given, Declared>}`
  | `never given: ${Named<Exclude<Beyond<Declared, Given>, 'ignored' | `${string}.ignored`>>}`;

/** Paths of fields that A has and B has not. Where either is a union, a field of any member counts. */
type Beyond<A, B> = [A] extends [never]
  ? never
  : [A] extends [readonly (infer Item)[]]
    ? [B] extends [readonly (infer Other)[]]
      ? Beyond<Item, Other>
      : never
    : [A] extends [object]
      ? [B] extends [object]
        ? BeyondFields<A, B>
        : never
      : never;
type BeyondFields<A, B> = {
  [Name in Names<A>]: Name extends Names<B> ? `${Name}.${Beyond<Field<A, Name>, Field<B, Name>>}` : Name;
}[Names<A>];
/** Without the names that a record may have: none of them need be given. */
type Named<Path extends string> = Path extends string
  ? Record<never, never> extends Record<Path, 1>
    ? never
    : Path
  : never;
type Names<T> = T extends unknown ? keyof T & string : never;
type Field<T, Name extends string> = T extends unknown ? (Name extends keyof T ? NonNullable<T[Name]> : never) : never;
