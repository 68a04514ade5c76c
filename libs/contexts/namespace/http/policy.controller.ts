import { Body, Controller, Delete, Get, HttpCode, Post, Query, Req, UseGuards, type Type } from '@nestjs/common';
import type { FastifyRequest } from 'fastify';
import { featureGuard, RequiredNumber, RequiredText, type FeatureSetting } from '#runtime';
import { policies, removePolicy, setPolicy, type PolicyDeclaration } from '../index.js';
import { PolicyRequests } from './policy-requests.js';

class PolicyPathDto {
  @RequiredText()
  path: string;
}

/** The base of all policy controllers. A kind of policy with a controller of its own overrides parts of it. */
export abstract class PolicyController {
  constructor(protected readonly requests: PolicyRequests) {}

  /** The answer about one policy. */
  protected present(path: string, fields: Record<string, unknown>): Record<string, unknown> {
    return { path, ...fields };
  }

  /** Runs after a policy was set. The answer waits for it. */
  protected whenSet(): Promise<void> | void {}
}

/** A policy whose setting, if it has one, belongs to the configuration. */
interface SwitchedPolicy extends PolicyDeclaration {
  readonly http: PolicyDeclaration['http'] & { readonly feature?: { readonly setting: FeatureSetting } };
}

/** `/api/v1/<route>`: lists, sets and removes policies of one kind. */
export function policyController(policy: SwitchedPolicy): Type<PolicyController> {
  const { field, http } = policy;
  class SetPolicyDto extends PolicyPathDto {}
  const wellFormed = http.request.kind === 'number' ? RequiredNumber(http.request) : RequiredText();
  wellFormed(SetPolicyDto.prototype, field);

  @Controller(http.route)
  class Routes extends PolicyController {
    constructor(requests: PolicyRequests) {
      super(requests);
    }

    @Get()
    read(@Query('path') path?: unknown): Promise<unknown> {
      return this.requests.read(policy, path, (key, value) => this.present(key, { [field]: value }));
    }

    @Post()
    @HttpCode(200)
    async set(@Body() dto: SetPolicyDto, @Req() request: FastifyRequest): Promise<unknown> {
      const asked = (dto as unknown as Record<string, unknown>)[field];
      const value = http.parse ? http.parse(asked as string) : asked;
      const answer = await this.requests.execute(setPolicy(policy, dto.path, value), request);
      await this.whenSet();
      return answer;
    }

    @Delete()
    @HttpCode(200)
    remove(@Body() { path }: PolicyPathDto, @Req() request: FastifyRequest): Promise<unknown> {
      return this.requests.execute(removePolicy(policy, path), request);
    }
  }
  if (http.feature) UseGuards(featureGuard(http.feature.setting, http.feature.off))(Routes);
  return Routes;
}

const all: readonly SwitchedPolicy[] = policies;

/** Controllers of all kinds of policies, except those with a controller of their own. */
export const commonPolicyControllers = all.filter(({ http }) => !http.hasOwnController).map(policyController);
