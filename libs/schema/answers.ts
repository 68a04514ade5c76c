import { answerObject, constant, listOf, plainText, text, type FieldsOf, type Properties } from './builders.js';
import { type AnswerOf, type SchemaOf } from './schema.js';

/** What many answers have in common. */

/** A field of every answer that is an object. Present only if there is something to name. */
export const ignored = listOf(
  plainText,
  'The names in the request that have no effect: fields (`options.x`) and query parameters that are unknown, or have no meaning here. Absent when there are none.',
);

/** The object of a whole answer. It also names the parts of the request that had no effect. */
export function wholeAnswer<Of extends Properties, Optional extends keyof Of & string = never>(
  properties: Of,
  optional: readonly Optional[] = [],
): SchemaOf<FieldsOf<Of, Optional> & { readonly ignored?: AnswerOf<typeof ignored> }> {
  const all: Properties = { ...properties, ignored };
  return answerObject(all, [...optional, 'ignored']) as ReturnType<typeof wholeAnswer<Of, Optional>>;
}

export const okAnswer = wholeAnswer({ status: constant('ok') });
export type Ok = AnswerOf<typeof okAnswer>;

/** `{ "results": [ … ] }` */
export const resultsOf = <Item>(items: SchemaOf<Item>) => wholeAnswer({ results: listOf(items) });
export type Results<Item> = AnswerOf<ReturnType<typeof resultsOf<Item>>>;

export const lastKey = text('Only when `count` was given: ask on with it.');

/** `{ "results": [ … ] }`, and where the next page begins. */
export const pageOf = <Item>(items: SchemaOf<Item>) => wholeAnswer({ results: listOf(items), lastKey }, ['lastKey']);
export type Page<Item> = AnswerOf<ReturnType<typeof pageOf<Item>>>;
