import { constant, listOf, plainText, recordOf, text, wholeAnswer, type AnswerOf } from '#schema';

/** The answers of `/api/v1/mount`. */

export const mountAnswer = wholeAnswer(
  {
    path: text('Namespace path, begins and ends with /.'),
    ufs: text('UFS root, ends with /.'),
    options: recordOf(
      plainText,
      'All values but those that are known to be harmless are shown as ******. Absent when empty.',
    ),
  },
  ['options'],
);
export type MountAnswer = AnswerOf<typeof mountAnswer>;

export const mountedAnswer = wholeAnswer(
  {
    status: constant('ok'),
    warning: {
      ...text('What this coordinator found amiss when it looked: no such directory or bucket, no access, no answer.'),
      minLength: 1,
    },
  },
  ['warning'],
);
export type MountedAnswer = AnswerOf<typeof mountedAnswer>;

export const mountReplacedAnswer = wholeAnswer(
  {
    status: constant('ok'),
    warning: { ...text('What this coordinator found amiss when it looked with the new options.'), minLength: 1 },
    stillUsing: listOf(text('host:port'), 'Workers that may still use the old options: they have not said otherwise.'),
  },
  ['warning', 'stillUsing'],
);
export type MountReplacedAnswer = AnswerOf<typeof mountReplacedAnswer>;

export const mountRemovedAnswer = wholeAnswer(
  {
    status: constant('ok'),
    stillServing: listOf(text('host:port'), 'Workers that may still serve from it: they have not said otherwise.'),
  },
  ['stillServing'],
);
export type MountRemovedAnswer = AnswerOf<typeof mountRemovedAnswer>;
