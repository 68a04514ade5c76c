import { Module } from '@nestjs/common';
import { CacheController } from './cache.controller.js';
import { NodesController } from './nodes.controller.js';
import { WorkerClient } from './worker-client.js';
import { WorkerWatch } from './worker-watch.js';

export { WorkerClient, type HeldCopy } from './worker-client.js';
export { WorkerWatch } from './worker-watch.js';

export { cacheAnswer } from './cache.answers.js';
export { CacheOperationDto } from './cache.controller.js';
export * from './nodes.answers.js';

@Module({
  controllers: [CacheController, NodesController],
  providers: [WorkerClient, WorkerWatch],
  exports: [WorkerClient, WorkerWatch],
})
export class MembershipModule {}
