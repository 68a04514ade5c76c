import { answerObject, count, lastKey, listOf, plainText, wholeAnswer, type AnswerOf } from '#schema';

/** The answers of `/api/v1/file_index`. */

/** Sent piece by piece, as the list may be long. So no type holds the code to it, only the contract suite does. */
export const filesAnswer = answerObject({ results: listOf(plainText), lastKey }, ['lastKey']);

export const filesChangedAnswer = wholeAnswer({ entries: count('Entries that really changed.') });
export type FilesChangedAnswer = AnswerOf<typeof filesChangedAnswer>;
