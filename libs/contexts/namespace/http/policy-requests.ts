import { Injectable } from '@nestjs/common';
import type { FastifyRequest } from 'fastify';
import { DomainError } from '#kernel';
import { CommandHandler, commandContext, queryText, Views } from '#runtime';
import {
  namespace,
  namespaceBoundary,
  namespaceView,
  policyPathFor,
  type Policies,
  type PolicyCommand,
} from '../index.js';

/** What the three policy controllers have in common. */
@Injectable()
export class PolicyRequests {
  constructor(
    private readonly views: Views,
    private readonly commands: CommandHandler,
  ) {}

  /**
   * The policy at the path of the query, or all of them where there is none.
   * @param missing the reference's words before `: <path>` where there is no policy at the path
   */
  async read<Value>(
    path: unknown,
    select: (policies: Policies) => Readonly<Record<string, Value>>,
    present: (path: string, value: Value) => Record<string, unknown>,
    missing: string,
  ): Promise<Record<string, unknown>> {
    const all = () => select(this.views.get(namespaceView).state.policies);
    const wanted = queryText(path);
    if (wanted === undefined) {
      const entries = Object.entries(all()).sort(([a], [b]) => (a < b ? -1 : 1));
      return { results: entries.map(([key, value]) => present(key, value)) };
    }
    const key = () => policyPathFor(this.views.get(namespaceView).state, wanted);
    const value = await this.views.find(() => all()[key()]);
    if (value === undefined) throw new DomainError('NotFound', 'no-policy', `${missing}: ${key()}`);
    return present(key(), value);
  }

  async execute(command: PolicyCommand, request: FastifyRequest): Promise<{ status: 'ok' }> {
    const load = () => this.views.get(namespaceView);
    await this.commands.execute(
      { boundary: namespaceBoundary, decider: namespace, load },
      { ...command, path: policyPathFor(load().state, command.path) },
      commandContext(request),
    );
    return { status: 'ok' };
  }
}
