import { Controller } from '@nestjs/common';
import { WorkerWatch } from '#contexts/membership/http';
import { namespaceView, quotaPolicy } from '#contexts/namespace';
import { policyController, PolicyRequests } from '#contexts/namespace/http';
import { currentPast, Views } from '#runtime';
import { answerAs, type AnswerOf } from '#schema';
import { QuotaLedger } from './quota-ledger.js';

/** A worker that is slow to hear of a quota still asks no leave for what its readers bring in. */
const workersWithinMs = 2_000;

type QuotaAnswer = AnswerOf<typeof quotaPolicy.http.answer>;

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

  protected override present(path: string, { quotaBytes }: { quotaBytes: number }): QuotaAnswer {
    const ufsPaths = this.ledger.ufsPathsOf(path);
    const sum = (bytes: (ufsPath: string) => number) => ufsPaths.reduce((total, one) => total + bytes(one), 0);
    const reservedBytes = sum((one) => this.ledger.reservedBytes(one));
    // How full it was, and so whether it held, only heartbeats knew.
    const usedBytes = currentPast() ? undefined : sum((one) => this.ledger.usedBytes(one));
    const state = usedBytes === undefined ? undefined : stateOf(usedBytes + reservedBytes, quotaBytes);
    return answerAs(quotaPolicy.http.answer, { path, state, quotaBytes, usedBytes, reservedBytes });
  }
}

const stateOf = (takenBytes: number, quotaBytes: number) => (takenBytes > quotaBytes ? 'Exceeded' : 'Available');
