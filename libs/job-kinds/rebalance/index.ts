import { Module } from '@nestjs/common';
import { JobsModule } from '#contexts/jobs/http';
import type { JobKindParts } from '../parts.js';
import { RebalanceController } from './http/rebalance.controller.js';
import { rebalanceDocs } from './http/rebalance.docs.js';
import { rebalanceKind } from './rebalance.kind.js';

@Module({ imports: [JobsModule], controllers: [RebalanceController] })
class RebalanceModule {}

export const rebalance: JobKindParts = { kind: rebalanceKind, module: RebalanceModule, docs: rebalanceDocs };
