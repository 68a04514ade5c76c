import { Inject, Injectable } from '@nestjs/common';
import { DomainError } from '#kernel';
import { CONFIG, type LarderConfig } from '#runtime';
import { probeUfs, UfsError, validateLocation, type UfsLocation } from '#ufs';
import { connectorOf } from '#ufs/declarations';

/** Even a directory may hang, on a network file system. */
const directoryLookMs = 2_000;

/** What is asked of a mount before it is written down. */
@Injectable()
export class MountCheck {
  constructor(@Inject(CONFIG) private readonly config: LarderConfig) {}

  /**
   * @returns the options to keep, and the names of those that have no meaning here
   * @throws DomainError Malformed, naming the option at fault and the nearest known one
   */
  options(ufs: string, options: Record<string, string>): ReturnType<typeof validateLocation> {
    try {
      return validateLocation({ ufs, options });
    } catch (error) {
      throw asMalformed('bad-mount-option', 'options', error);
    }
  }

  /**
   * One look at the mount's root, bounded in time. It is this coordinator that looks: workers read for themselves, may
   * run elsewhere and under another user, and so a directory that is not to be seen from here is no reason to refuse.
   * @returns a sentence for the answer where something is amiss
   * @throws DomainError Malformed for what can never be mounted
   */
  async look({ ufs, options }: UfsLocation): Promise<string | undefined> {
    const limitMs = connectorOf(ufs)?.isLocal ? directoryLookMs : this.config.mountCheckMs;
    if (limitMs === 0) return undefined;
    const { ufsIdleTimeoutMs, ufsConnectTimeoutMs } = this.config;
    const tuning = { idleTimeoutMs: ufsIdleTimeoutMs, connectTimeoutMs: ufsConnectTimeoutMs, maxConnections: 1 };
    const limit = AbortSignal.timeout(limitMs);
    const late = aborted(limit).then(() => `${ufs} did not answer within ${limitMs} ms.`);
    try {
      // What cannot be aborted, a call into a hanging file system, is left behind.
      const found = await Promise.race([probeUfs({ ufs, options }, tuning, limit), late]);
      return found && `${found} This is what this coordinator sees; the mount was made all the same.`;
    } catch (error) {
      throw asMalformed('bad-mount-root', 'ufs', error);
    }
  }
}

function aborted(signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => signal.addEventListener('abort', () => resolve(), { once: true }));
}

function asMalformed(code: string, field: string, error: unknown): unknown {
  return error instanceof UfsError ? new DomainError('Malformed', code, `${field}: ${error.message}`) : error;
}
