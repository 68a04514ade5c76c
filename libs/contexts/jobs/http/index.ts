import { Module } from '@nestjs/common';
import { MembershipModule } from '#contexts/membership/http';
import { JobOwners, Presence } from '../owner/index.js';
import { JobReader } from './job-reader.js';
import { JobSubmissions } from './job-submissions.js';
import { LoadRequests } from './load-requests.js';
import { LoadController } from './load.controller.js';

@Module({
  imports: [MembershipModule],
  controllers: [LoadController],
  providers: [JobReader, JobSubmissions, LoadRequests, JobOwners, Presence],
})
export class JobsModule {}
