import { bandwidths, batchSizes } from '#contexts/jobs/http';
import { OptionalFlag, OptionalNumber, OptionalObject, OptionalText, RequiredText } from '#runtime';

export class RebalanceOptionsDto {
  /** 0 = the default. */
  @OptionalNumber(batchSizes)
  loadBatchSize?: number;

  /** Per worker; 0 = unlimited. */
  @OptionalNumber(bandwidths)
  loadBandwidth?: number;

  /** Per worker; 0 = unlimited. */
  @OptionalNumber(bandwidths)
  pruneBandwidth?: number;

  @OptionalFlag()
  skipPrune?: boolean;
}

export class SubmitRebalanceDto {
  @RequiredText()
  target: string;

  @OptionalObject(() => RebalanceOptionsDto)
  options?: RebalanceOptionsDto;
}

export class StopRebalanceDto {
  @OptionalText()
  id?: string;

  @OptionalText()
  target?: string;
}
