import { Module } from '@nestjs/common';
import { MountCheck } from './mount-check.js';
import { MembershipModule } from '#contexts/membership/http';
import { MountController } from './mount.controller.js';
import { commonPolicyControllers } from './policy.controller.js';
import { PolicyRequests } from './policy-requests.js';
import { StaticMountTable } from './static-mount-table.js';

export * from './mount.answers.js';
export * from './mount.dto.js';
export * from './policy.controller.js';
export { PolicyRequests } from './policy-requests.js';

@Module({
  imports: [MembershipModule],
  controllers: [MountController, ...commonPolicyControllers],
  providers: [MountCheck, PolicyRequests, StaticMountTable],
  exports: [PolicyRequests],
})
export class NamespaceModule {}
