import { IsDefined, IsInt, IsNotEmpty, IsString, Max, Min } from 'class-validator';

export class PolicyPathDto {
  @IsDefined()
  @IsString()
  @IsNotEmpty()
  path: string;
}

export class SetQuotaDto extends PolicyPathDto {
  /** Bytes; 0 lets nothing be cached there. */
  @IsDefined()
  @IsInt()
  @Min(0)
  @Max(Number.MAX_SAFE_INTEGER)
  quotaBytes: number;
}

export class SetTtlDto extends PolicyPathDto {
  @IsDefined()
  @IsInt()
  @Min(1)
  @Max(Number.MAX_SAFE_INTEGER)
  ttlSeconds: number;
}

export class SetPriorityDto extends PolicyPathDto {
  /** `high`, `medium` or `low` in any case; what is wrong with it is said by the controller. */
  @IsDefined()
  @IsString()
  @IsNotEmpty()
  priority: string;
}
