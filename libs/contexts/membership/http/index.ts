import { Module } from '@nestjs/common';
import { NodesController } from './nodes.controller.js';
import { WorkerWatch } from './worker-watch.js';

export { WorkerWatch } from './worker-watch.js';

@Module({ controllers: [NodesController], providers: [WorkerWatch], exports: [WorkerWatch] })
export class MembershipModule {}
