import { Type } from 'class-transformer';
import { IsBoolean, IsInt, IsObject, IsOptional, Max, Min, ValidateNested } from 'class-validator';
import { PathsDto } from './paths.dto.js';

export class FreeOptionsDto {
  /** 0 = the default. */
  @IsOptional()
  @IsInt()
  @Min(0)
  @Max(1_000_000)
  batchSize?: number;

  /** Answer only when the job has ended. */
  @IsOptional()
  @IsBoolean()
  sync?: boolean;

  /** Default true. */
  @IsOptional()
  @IsBoolean()
  recursive?: boolean;
}

export class SubmitFreeDto extends PathsDto {
  @IsOptional()
  @IsObject()
  @ValidateNested()
  @Type(() => FreeOptionsDto)
  options?: FreeOptionsDto;
}
