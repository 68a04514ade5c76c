import { Body, Controller, HttpCode, Inject, Post } from '@nestjs/common';
import { z } from 'zod';
import { DomainError } from '#kernel';
import type { ClusterView } from '../agent/log/cluster-view.js';
import type { QuotaHolding, QuotaTrimmer } from '../policies/quota-trimmer.js';
import { quotaTrimmerToken, viewToken } from '../tokens.js';
import { bodyOf } from './request-body.js';

const requestSchema = z.object({
  quotas: z.array(z.object({ ufsPath: z.string(), maxBytes: z.number().nonnegative().optional() })).max(10_000),
  /** By mounts and policies as of this log sequence or later. */
  namespace: z.number().int().nonnegative(),
});
const logTimeoutMs = 5000;

/** What this worker holds below quotas, and how much of it may stay. The coordinator that enforces quotas asks this. */
@Controller('v1/quotas')
export class QuotaController {
  constructor(
    @Inject(quotaTrimmerToken) private readonly trimmer: QuotaTrimmer,
    @Inject(viewToken) private readonly view: ClusterView,
  ) {}

  /** Answers at once, in the order asked. */
  @Post()
  @HttpCode(200)
  async look(@Body() body: unknown): Promise<{ holdings: QuotaHolding[] }> {
    const { quotas, namespace } = bodyOf(requestSchema, body);
    this.view.requireNamespace();
    if (!(await this.view.namespaceAt(namespace, logTimeoutMs)))
      throw new DomainError('Unavailable', 'not-caught-up', `this worker has not yet read the log up to ${namespace}`);
    return { holdings: this.trimmer.look(quotas) };
  }
}
