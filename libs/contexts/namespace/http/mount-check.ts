import { Inject, Injectable } from '@nestjs/common';
import { aborted } from '#async';
import { DomainError } from '#kernel';
import { CONFIG, type LarderConfig } from '#runtime';
import { probeUfs, UfsError, validateLocation, type UfsLocation } from '#ufs';
import { connectorOf } from '#ufs/declarations';

/** Even a directory may hang if it is on a network file system. */
const directoryLookMs = 2_000;

/** Checks a mount before it is recorded. */
@Injectable()
export class MountCheck {
  constructor(@Inject(CONFIG) private readonly config: LarderConfig) {}

  /**
   * @returns the options to keep, and the names of options without a meaning here
   * @throws DomainError Malformed, naming the wrong option and the nearest known one
   */
  options(ufs: string, options: Record<string, string>): ReturnType<typeof validateLocation> {
    try {
      return validateLocation({ ufs, options });
    } catch (error) {
      throw asMalformed('bad-mount-option', 'options', error);
    }
  }

  /**
   * Looks once at the mount's root, for a limited time. This coordinator looks, but workers do the reading. They may
   * run on other machines and under another user. So a directory that this coordinator cannot see is no reason to
   * refuse.
   * @returns a sentence for the answer if something is wrong
   * @throws DomainError Malformed for a location that can never be mounted
   */
  async look({ ufs, options }: UfsLocation): Promise<string | undefined> {
    const limitMs = connectorOf(ufs)?.isLocal ? directoryLookMs : this.config.mountCheckMs;
    if (limitMs === 0) return undefined;
    const { ufsIdleTimeoutMs, ufsConnectTimeoutMs } = this.config;
    const tuning = { idleTimeoutMs: ufsIdleTimeoutMs, connectTimeoutMs: ufsConnectTimeoutMs, maxConnections: 1 };
    const limit = AbortSignal.timeout(limitMs);
    const late = aborted(limit).then(() => `${ufs} did not answer within ${limitMs} ms.`);
    try {
      // A call into a hanging file system cannot be aborted. It is abandoned.
      const found = await Promise.race([probeUfs({ ufs, options }, tuning, limit), late]);
      return found && `${found} This is what this coordinator sees; the mount was made all the same.`;
    } catch (error) {
      throw asMalformed('bad-mount-root', 'ufs', error);
    }
  }
}

function asMalformed(code: string, field: string, error: unknown): unknown {
  return error instanceof UfsError ? new DomainError('Malformed', code, `${field}: ${error.message}`) : error;
}
