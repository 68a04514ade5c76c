import { OptionalBatchSize, OptionalSync, PathsDto } from '#contexts/jobs/http';
import { OptionalFlag, OptionalObject } from '#runtime';

export class FreeOptionsDto {
  @OptionalBatchSize()
  batchSize?: number;

  @OptionalSync()
  sync?: boolean;

  @OptionalFlag('Default true. False: only the named files, and the direct children of named directories.')
  recursive?: boolean;

  @OptionalFlag(
    'Default false. True: the copies that no mount covers, also below mounted paths. A UFS path that no mount covers needs no flag.',
  )
  unmounted?: boolean;
}

export class SubmitFreeDto extends PathsDto {
  @OptionalObject(() => FreeOptionsDto)
  options?: FreeOptionsDto;
}
