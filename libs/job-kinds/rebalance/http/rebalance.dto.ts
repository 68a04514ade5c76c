import { bandwidths, OptionalBatchSize } from '#contexts/jobs/http';
import { OptionalFlag, OptionalNumber, OptionalObject, OptionalText, RequiredText } from '#runtime';

const target = 'A worker’s id, or ALL.';

export class RebalanceOptionsDto {
  @OptionalBatchSize()
  loadBatchSize?: number;

  @OptionalNumber('Bytes/s per worker while loading; 0 = unlimited.', bandwidths)
  loadBandwidth?: number;

  @OptionalNumber('Bytes/s per worker while pruning; 0 = unlimited.', bandwidths)
  pruneBandwidth?: number;

  @OptionalFlag('Load only; remove nothing.')
  skipPrune?: boolean;
}

export class SubmitRebalanceDto {
  @RequiredText(target)
  target: string;

  @OptionalObject(() => RebalanceOptionsDto)
  options?: RebalanceOptionsDto;
}

export class StopRebalanceDto {
  @OptionalText('Job id.')
  id?: string;

  @OptionalText(target)
  target?: string;
}
