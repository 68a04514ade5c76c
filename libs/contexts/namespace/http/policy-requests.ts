import { Injectable } from '@nestjs/common';
import type { FastifyRequest } from 'fastify';
import { CommandHandler, commandContext, queryText, Views } from '#runtime';
import type { Ok, Results } from '#schema';
import {
  namespace,
  namespaceBoundary,
  namespaceView,
  noPolicy,
  policyPathFor,
  type PolicyCommand,
  type PolicyDeclaration,
  type PolicyTable,
} from '../index.js';

/** Reads and changes policies for their controllers. */
@Injectable()
export class PolicyRequests {
  constructor(
    private readonly views: Views,
    private readonly commands: CommandHandler,
  ) {}

  /** The policy at the path of the query; without a path, all policies of that kind. */
  async read<Answer>(
    { record, item }: PolicyDeclaration,
    path: unknown,
    present: (path: string, value: unknown) => Answer,
  ): Promise<Answer | Results<Answer>> {
    const state = () => this.views.get(namespaceView).state;
    const all = () => (state().policies as Readonly<Record<string, PolicyTable<unknown>>>)[record];
    const wanted = queryText(path);
    if (wanted === undefined) {
      return { results: [...all()].map(([key, value]) => present(key, value)) };
    }
    const key = () => policyPathFor(state(), wanted);
    const value = await this.views.find(() => all().get(key()));
    if (value === undefined) throw noPolicy(item, key());
    return present(key(), value);
  }

  async execute(command: PolicyCommand, request: FastifyRequest): Promise<Ok> {
    const load = () => this.views.get(namespaceView);
    await this.commands.execute(
      { boundary: namespaceBoundary.name, decider: namespace, load },
      { ...command, path: policyPathFor(load().state, command.path) },
      commandContext(request),
    );
    return { status: 'ok' };
  }
}
