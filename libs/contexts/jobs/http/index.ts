import { Module } from '@nestjs/common';
import { MembershipModule } from '#contexts/membership/http';
import { NamespaceModule } from '#contexts/namespace/http';
import { JobConnectors, JobOwners, JobRunPorts, JobWriter, Presence, QuotaGates } from '../owner/index.js';
import { QuotaController } from '../quota/quota.controller.js';
import { QuotaGrants } from '../quota/quota-grants.js';
import { QuotaKeeper } from '../quota/quota-keeper.js';
import { QuotaLedger } from '../quota/quota-ledger.js';
import { JobEndpoint } from './job-endpoint.js';
import { JobReader } from './job-reader.js';
import { JobSubmissions } from './job-submissions.js';
import { PathRequests } from './path-requests.js';

export { JobEndpoint } from './job-endpoint.js';
export { JobReader } from './job-reader.js';
export { ProgressCache } from './progress-cache.js';
export * from './job.dto.js';
export { PathRequests } from './path-requests.js';
export { slotOf } from './slot-of.js';

/** Runs jobs of any kind, and provides the parts of which the routes of all kinds are made. It asks for `JobKinds`. */
@Module({
  imports: [MembershipModule, NamespaceModule],
  controllers: [QuotaController],
  providers: [
    JobReader,
    JobSubmissions,
    PathRequests,
    JobEndpoint,
    JobConnectors,
    JobWriter,
    JobRunPorts,
    JobOwners,
    Presence,
    QuotaGates,
    QuotaGrants,
    QuotaLedger,
    QuotaKeeper,
  ],
  exports: [Presence, JobEndpoint, JobReader, PathRequests],
})
export class JobsModule {}
