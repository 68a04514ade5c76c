import { Controller } from '@nestjs/common';
import { WorkerWatch } from '#contexts/membership/http';
import { namespaceView, quotaPolicy } from '#contexts/namespace';
import { policyController, PolicyRequests } from '#contexts/namespace/http';
import { currentPast, Views } from '#runtime';
import { QuotaLedger } from './quota-ledger.js';

/** Until a worker has heard of a quota, it does not ask before it caches objects for its readers. */
const workersWithinMs = 2_000;

/** `/api/v1/quota`: bytes that may be cached below a directory, and how many are. */
@Controller(quotaPolicy.http.route)
export class QuotaController extends policyController(quotaPolicy) {
  constructor(
    requests: PolicyRequests,
    private readonly ledger: QuotaLedger,
    private readonly watch: WorkerWatch,
    private readonly views: Views,
  ) {
    super(requests);
  }

  protected override async whenSet(): Promise<void> {
    await this.watch.untilNamespace(this.views.get(namespaceView).sequence, workersWithinMs);
  }

  protected override present(path: string, { quotaBytes }: { quotaBytes: number }): Record<string, unknown> {
    const ufsPaths = this.ledger.ufsPathsOf(path);
    const sum = (bytes: (ufsPath: string) => number) => ufsPaths.reduce((total, one) => total + bytes(one), 0);
    const reservedBytes = sum((one) => this.ledger.reservedBytes(one));
    // For the past, the fill and so the state are not known: only heartbeats carry them.
    if (currentPast()) return { path, quotaBytes, reservedBytes };
    const usedBytes = sum((one) => this.ledger.usedBytes(one));
    const state = usedBytes + reservedBytes > quotaBytes ? 'Exceeded' : 'Available';
    return { path, state, quotaBytes, usedBytes, reservedBytes };
  }
}
