import { Controller, Delete, Get, HttpCode, Query, Req } from '@nestjs/common';
import type { FastifyRequest } from 'fastify';
import { DomainError } from '#kernel';
import { CommandHandler, commandContext, missingParameters, queryText, Views } from '#runtime';
import { answerAs, type Ok } from '#schema';
import { listWorkers, membership, membershipBoundary, membershipView, type Worker } from '../index.js';
import { nodeAnswer, type NodeAnswer, type NodesAnswer } from './nodes.answers.js';
import { WorkerWatch } from './worker-watch.js';

/** The text of the reference. */
const notFound = 'worker not found...';

/** `/api/v1/nodes`: the workers of the cluster. */
@Controller('nodes')
export class NodesController {
  constructor(
    private readonly views: Views,
    private readonly commands: CommandHandler,
    private readonly watch: WorkerWatch,
  ) {}

  @Get()
  async read(@Query('id') id?: unknown): Promise<NodeAnswer | NodesAnswer> {
    const wanted = queryText(id);
    if (wanted === undefined) return { result: this.workers().map((worker) => this.present(worker)) };
    const worker = await this.views.find(() => this.workers().find(({ workerId }) => workerId === wanted));
    if (!worker) throw new DomainError('NotFound', 'worker-not-found', notFound);
    return this.present(worker);
  }

  @Delete()
  @HttpCode(200)
  async decommission(@Query('id') id: unknown, @Req() request: FastifyRequest): Promise<Ok> {
    const workerId = queryText(id);
    if (workerId === undefined) throw missingParameters();
    const load = () => this.views.get(membershipView);
    await this.commands.execute(
      { boundary: membershipBoundary.name, decider: membership, load },
      { type: 'Decommission', workerId },
      commandContext(request),
    );
    return { status: 'ok' };
  }

  private workers(): Worker[] {
    return listWorkers(this.views.get(membershipView).state);
  }

  private present(worker: Worker): NodeAnswer {
    const { workerId, address, status, capacityBytes, version } = worker;
    const heartbeat = this.watch.lastHeartbeat(workerId);
    return answerAs(nodeAnswer, {
      identity: workerId,
      address,
      status: status === 'online' ? 'ONLINE' : 'OFFLINE',
      capacityBytes,
      version,
      ...(heartbeat ? { usedBytes: heartbeat.usedBytes, cachedObjects: heartbeat.objects } : {}),
      ...(heartbeat?.unmountedBytes === undefined ? {} : { unmountedBytes: heartbeat.unmountedBytes }),
      ...(heartbeat?.unmountedObjects === undefined ? {} : { unmountedObjects: heartbeat.unmountedObjects }),
    });
  }
}
