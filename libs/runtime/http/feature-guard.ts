import { Inject, mixin, type CanActivate, type Type } from '@nestjs/common';
import { DomainError } from '#kernel';
import { CONFIG, type LarderConfig } from '../tokens.js';

/** A setting that is on or off. */
export type FeatureSetting = {
  [Name in keyof LarderConfig]: LarderConfig[Name] extends boolean ? Name : never;
}[keyof LarderConfig];

/**
 * Lets requests pass only while the feature is on. A guard, because it must answer before any body is validated.
 * @param off the reference's text for a feature that is switched off; `httpStatus` is the reference's, too
 */
export function featureGuard(feature: FeatureSetting, off: string, httpStatus = 501): Type<CanActivate> {
  class FeatureGuard implements CanActivate {
    constructor(@Inject(CONFIG) private readonly config: LarderConfig) {}

    canActivate(): boolean {
      if (this.config[feature]) return true;
      throw new DomainError('Refused', 'feature-off', off, { httpStatus });
    }
  }
  return mixin(FeatureGuard);
}
