import { Type } from 'class-transformer';
import {
  IsBoolean,
  IsDefined,
  IsInt,
  IsNotEmpty,
  IsObject,
  IsOptional,
  IsString,
  Max,
  Min,
  ValidateNested,
} from 'class-validator';

export class RebalanceOptionsDto {
  /** 0 = the default. */
  @IsOptional()
  @IsInt()
  @Min(0)
  @Max(1_000_000)
  loadBatchSize?: number;

  /** Bytes/s per worker; 0 = unlimited. */
  @IsOptional()
  @IsInt()
  @Min(0)
  @Max(Number.MAX_SAFE_INTEGER)
  loadBandwidth?: number;

  /** Bytes/s per worker; 0 = unlimited. */
  @IsOptional()
  @IsInt()
  @Min(0)
  @Max(Number.MAX_SAFE_INTEGER)
  pruneBandwidth?: number;

  @IsOptional()
  @IsBoolean()
  skipPrune?: boolean;
}

export class SubmitRebalanceDto {
  @IsDefined()
  @IsString()
  @IsNotEmpty()
  target: string;

  @IsOptional()
  @IsObject()
  @ValidateNested()
  @Type(() => RebalanceOptionsDto)
  options?: RebalanceOptionsDto;
}

export class StopRebalanceDto {
  @IsOptional()
  @IsString()
  id?: string;

  @IsOptional()
  @IsString()
  target?: string;
}
