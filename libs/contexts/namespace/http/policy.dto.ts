import { RequiredNumber, RequiredText } from '#runtime';

export class PolicyPathDto {
  @RequiredText()
  path: string;
}

export class SetQuotaDto extends PolicyPathDto {
  /** 0 lets nothing be cached there. */
  @RequiredNumber({ unit: 'bytes' })
  quotaBytes: number;
}

export class SetTtlDto extends PolicyPathDto {
  @RequiredNumber({ min: 1, unit: 'seconds' })
  ttlSeconds: number;
}

export class SetPriorityDto extends PolicyPathDto {
  /** `high`, `medium` or `low` in any case; what is wrong with it is said by the controller. */
  @RequiredText()
  priority: string;
}
