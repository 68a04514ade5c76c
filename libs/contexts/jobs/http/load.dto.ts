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
  MaxLength,
  Min,
  ValidateNested,
} from 'class-validator';
import { PathsDto } from './paths.dto.js';

const maxPatternLength = 4096;

export class LoadOptionsDto {
  /** 0 = the default. */
  @IsOptional()
  @IsInt()
  @Min(0)
  @Max(1_000_000)
  batchSize?: number;

  @IsOptional()
  @IsString()
  @MaxLength(maxPatternLength)
  fileFilterRegex?: string;

  /** The spelling of the reference's example. */
  @IsOptional()
  @IsString()
  @MaxLength(maxPatternLength)
  fileFilterRegx?: string;

  /** 0 = the default, 1. */
  @IsOptional()
  @IsInt()
  @Min(0)
  @Max(16)
  replicas?: number;

  @IsOptional()
  @IsBoolean()
  skipIfExists?: boolean;

  @IsOptional()
  @IsBoolean()
  loadMetadataOnly?: boolean;

  @IsOptional()
  @IsBoolean()
  verify?: boolean;

  /** Bytes/s per worker; 0 = unlimited. */
  @IsOptional()
  @IsInt()
  @Min(0)
  @Max(Number.MAX_SAFE_INTEGER)
  bandwidth?: number;

  /** Answer only when the job has ended. */
  @IsOptional()
  @IsBoolean()
  sync?: boolean;
}

export class SubmitLoadDto extends PathsDto {
  @IsOptional()
  @IsObject()
  @ValidateNested()
  @Type(() => LoadOptionsDto)
  options?: LoadOptionsDto;
}

export class JobIdDto {
  @IsDefined()
  @IsString()
  @IsNotEmpty()
  id: string;
}
