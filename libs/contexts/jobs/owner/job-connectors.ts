import { Inject, Injectable } from '@nestjs/common';
import { KeyRing, mountOfUfsPath, namespaceView } from '#contexts/namespace';
import { ConnectorPool } from '#contexts/namespace/ufs';
import { CONFIG, Views, type LarderConfig } from '#runtime';
import { openUfs } from '#ufs';

/** Connections to the stores that jobs list. */
@Injectable()
export class JobConnectors extends ConnectorPool {
  constructor(views: Views, keyRing: KeyRing, @Inject(CONFIG) config: LarderConfig) {
    const tuning = {
      idleTimeoutMs: config.ufsIdleTimeoutMs,
      connectTimeoutMs: config.ufsConnectTimeoutMs,
      maxConnections: config.ufsConnections,
    };
    super(
      (ufsPath) => mountOfUfsPath(views.get(namespaceView).state, ufsPath),
      ({ ufs, options }) => openUfs({ ufs, options: keyRing.openOptions(options) }, tuning),
      { basePauseMs: config.retryBaseMs, maxPauseMs: config.retryMaxMs, maxOutageMs: config.ufsOutageMs },
    );
  }
}
