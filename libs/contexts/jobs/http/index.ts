import { Module } from '@nestjs/common';
import { MembershipModule } from '#contexts/membership/http';
import { NamespaceModule } from '#contexts/namespace/http';
import { JobOwners, Presence } from '../owner/index.js';
import { QuotaController } from '../quota/quota.controller.js';
import { QuotaLedger } from '../quota/quota-ledger.js';
import { JobReader } from './job-reader.js';
import { JobSubmissions } from './job-submissions.js';
import { LoadRequests } from './load-requests.js';
import { LoadController } from './load.controller.js';

@Module({
  imports: [MembershipModule, NamespaceModule],
  controllers: [LoadController, QuotaController],
  providers: [JobReader, JobSubmissions, LoadRequests, JobOwners, Presence, QuotaLedger],
})
export class JobsModule {}
