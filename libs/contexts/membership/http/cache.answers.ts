import { plainText, recordOf, wholeAnswer, type AnswerOf } from '#schema';

/** The answer of `/api/v1/cache`. */
export const cacheAnswer = wholeAnswer({
  errors: recordOf({ ...plainText, minLength: 1 }, 'The reason by the address of each worker that could not be told.'),
});
export type CacheAnswer = AnswerOf<typeof cacheAnswer>;
