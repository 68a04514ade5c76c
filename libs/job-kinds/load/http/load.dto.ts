import { bandwidths, OptionalBatchSize, OptionalSync, PathsDto } from '#contexts/jobs/http';
import { OptionalFlag, OptionalNumber, OptionalObject, OptionalText } from '#runtime';

const maxPatternLength = 4096;

export class LoadOptionsDto {
  @OptionalBatchSize()
  batchSize?: number;

  @OptionalText(
    'RE2 pattern that a file’s whole name must match; with a slash in it, also the whole path may.',
    maxPatternLength,
  )
  fileFilterRegex?: string;

  /** The spelling of the reference's example. */
  @OptionalText('The same, in the other spelling.', maxPatternLength)
  fileFilterRegx?: string;

  @OptionalNumber('Distinct workers that get each file; 0 = 1.', { max: 16, unit: 'workers' })
  replicas?: number;

  @OptionalFlag('Leave files alone that are cached in their present version.')
  skipIfExists?: boolean;

  @OptionalFlag('Cache sizes and versions, no bytes.')
  loadMetadataOnly?: boolean;

  @OptionalFlag('Compare with the UFS when everything is loaded, and load files again that differ.')
  verify?: boolean;

  @OptionalNumber('Bytes/s per worker; 0 = unlimited.', bandwidths)
  bandwidth?: number;

  @OptionalSync()
  sync?: boolean;
}

export class SubmitLoadDto extends PathsDto {
  @OptionalObject(() => LoadOptionsDto)
  options?: LoadOptionsDto;
}
