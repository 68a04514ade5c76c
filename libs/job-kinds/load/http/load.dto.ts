import { bandwidths, batchSizes, PathsDto } from '#contexts/jobs/http';
import { OptionalFlag, OptionalNumber, OptionalObject, OptionalText } from '#runtime';

const maxPatternLength = 4096;

export class LoadOptionsDto {
  /** 0 = the default. */
  @OptionalNumber(batchSizes)
  batchSize?: number;

  @OptionalText(maxPatternLength)
  fileFilterRegex?: string;

  /** The spelling of the reference's example. */
  @OptionalText(maxPatternLength)
  fileFilterRegx?: string;

  /** 0 = the default, 1. */
  @OptionalNumber({ max: 16, unit: 'workers' })
  replicas?: number;

  @OptionalFlag()
  skipIfExists?: boolean;

  @OptionalFlag()
  loadMetadataOnly?: boolean;

  @OptionalFlag()
  verify?: boolean;

  /** Per worker; 0 = unlimited. */
  @OptionalNumber(bandwidths)
  bandwidth?: number;

  /** Answer only when the job has ended. */
  @OptionalFlag()
  sync?: boolean;
}

export class SubmitLoadDto extends PathsDto {
  @OptionalObject(() => LoadOptionsDto)
  options?: LoadOptionsDto;
}
