import { batchSizes, PathsDto } from '#contexts/jobs/http';
import { OptionalFlag, OptionalNumber, OptionalObject } from '#runtime';

export class FreeOptionsDto {
  /** 0 = the default. */
  @OptionalNumber(batchSizes)
  batchSize?: number;

  /** Answer only when the job has ended. */
  @OptionalFlag()
  sync?: boolean;

  /** Default true. */
  @OptionalFlag()
  recursive?: boolean;

  /** Default false: of mounted paths what their mounts cover. */
  @OptionalFlag()
  unmounted?: boolean;
}

export class SubmitFreeDto extends PathsDto {
  @OptionalObject(() => FreeOptionsDto)
  options?: FreeOptionsDto;
}
