import { Module } from '@nestjs/common';
import { MembershipModule } from '#contexts/membership/http';
import { NamespaceModule } from '#contexts/namespace/http';
import { JobOwners, Presence } from '../owner/index.js';
import { QuotaController } from '../quota/quota.controller.js';
import { QuotaGrants } from '../quota/quota-grants.js';
import { QuotaKeeper } from '../quota/quota-keeper.js';
import { QuotaLedger } from '../quota/quota-ledger.js';
import { JobReader } from './job-reader.js';
import { JobSubmissions } from './job-submissions.js';
import { PathJobRequests } from './path-job-requests.js';
import { PathRequests } from './path-requests.js';
import { FreeController } from './free.controller.js';
import { JobEndpoint } from './job-endpoint.js';
import { RebalanceController } from './rebalance.controller.js';
import { LoadController } from './load.controller.js';

export { slotOf } from './slot-of.js';

@Module({
  imports: [MembershipModule, NamespaceModule],
  controllers: [LoadController, FreeController, RebalanceController, QuotaController],
  providers: [
    JobReader,
    JobSubmissions,
    PathRequests,
    PathJobRequests,
    JobEndpoint,
    JobOwners,
    Presence,
    QuotaGrants,
    QuotaLedger,
    QuotaKeeper,
  ],
  exports: [Presence],
})
export class JobsModule {}
