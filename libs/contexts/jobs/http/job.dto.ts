import { OptionalFlag, OptionalNumber, OptionalText, OptionalTexts, RequiredText, type NumberRange } from '#runtime';

const maxPaths = 10_000;
const maxAliasLength = 128;

const batchSizes: NumberRange = { max: 1_000_000, unit: 'files' };
export const bandwidths: NumberRange = { unit: 'bytes per second' };

export const OptionalBatchSize = () => OptionalNumber('Files per batch; 0 = the default.', batchSizes);
export const OptionalSync = () =>
  OptionalFlag(
    'Answer with the progress when the job has ended, or when the time is over (LARDER_SYNC_MS; with no worker up LARDER_SYNC_NO_WORKER_MS).',
  );

/** Exactly one of `paths` and `index` is given. The handler of the request checks that, because no single field can. */
export class PathsDto {
  @OptionalTexts(
    'UFS paths (s3://bucket/dir, file:///dir) or namespace paths (/data/dir).',
    maxPaths,
    'a longer list belongs in an index file',
  )
  paths?: string[];

  @OptionalText(
    'A UFS file with a path per line. Exactly one of paths and index must be given; "" counts as not given.',
  )
  index?: string;

  @OptionalText('A name to find the job by.', maxAliasLength)
  alias?: string;
}

export class JobIdDto {
  @RequiredText('Job id.')
  id: string;
}
