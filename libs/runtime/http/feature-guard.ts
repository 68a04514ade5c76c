import { Inject, mixin, type CanActivate, type Type } from '@nestjs/common';
import { DomainError } from '#kernel';
import { CONFIG, type LarderConfig } from '../tokens.js';

export type Feature = 'quota' | 'ttl' | 'priority' | 'fileIndex';

/** The reference's words, and its status, for a feature that is switched off. */
const notEnabled: Readonly<Record<Feature, { httpStatus: number; message: string }>> = {
  quota: { httpStatus: 501, message: 'Quota not enabled' },
  ttl: { httpStatus: 501, message: 'TTL not enabled' },
  priority: { httpStatus: 501, message: 'Priority eviction not enabled' },
  fileIndex: { httpStatus: 404, message: 'Global file index is not enabled' },
};

/** Lets requests pass only while the feature is on. A guard, because it must answer before any body is validated. */
export function featureGuard(feature: Feature): Type<CanActivate> {
  class FeatureGuard implements CanActivate {
    constructor(@Inject(CONFIG) private readonly config: LarderConfig) {}

    canActivate(): boolean {
      if (this.config[feature]) return true;
      const { httpStatus, message } = notEnabled[feature];
      throw new DomainError('Refused', 'feature-off', message, { httpStatus });
    }
  }
  return mixin(FeatureGuard);
}
