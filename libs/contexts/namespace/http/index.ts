import { Module } from '@nestjs/common';
import { MountCheck } from './mount-check.js';
import { MembershipModule } from '#contexts/membership/http';
import { MountController } from './mount.controller.js';
import { PolicyRequests } from './policy-requests.js';
import { PriorityController } from './priority.controller.js';
import { StaticMountTable } from './static-mount-table.js';
import { TtlController } from './ttl.controller.js';

export * from './policy.dto.js';
export { PolicyRequests } from './policy-requests.js';

@Module({
  imports: [MembershipModule],
  controllers: [MountController, TtlController, PriorityController],
  providers: [MountCheck, PolicyRequests, StaticMountTable],
  exports: [PolicyRequests],
})
export class NamespaceModule {}
