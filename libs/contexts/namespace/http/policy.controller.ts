import { Body, Controller, Delete, Get, HttpCode, Post, Query, Req, UseGuards, type Type } from '@nestjs/common';
import type { FastifyRequest } from 'fastify';
import { featureGuard, RequiredNumber, RequiredText, type FeatureSetting } from '#runtime';
import type { AnswerOf, Mismatch, Ok, Results } from '#schema';
import { policies, removePolicy, setPolicy, type PolicyAnswer, type PolicyDeclaration } from '../index.js';
import { PolicyRequests } from './policy-requests.js';

/** Names a policy, to remove it. */
export class PolicyPathDto {
  @RequiredText('Namespace path of a directory, begins with /.')
  path: string;
}

/** What sets a policy of this kind: its path, and its value under the name of its field. */
export function setPolicyDto({ field, http: { request } }: PolicyDeclaration): new () => PolicyPathDto {
  class SetPolicyDto extends PolicyPathDto {}
  const { description } = request;
  const declare = request.kind === 'number' ? RequiredNumber(description, request) : RequiredText(description);
  declare(SetPolicyDto.prototype, field);
  return SetPolicyDto;
}

/** What a kind of policy with a controller of its own does beyond the routes in common. */
export abstract class PolicyController {
  constructor(protected readonly requests: PolicyRequests) {}

  /** The answer about one policy. @param fields the value under the name of its field */
  protected present(path: string, fields: Record<string, unknown>): PolicyAnswer {
    return { path, ...fields };
  }

  /** Awaited after a policy was set, before the answer. */
  protected whenSet(): Promise<void> | void {}
}

/** A policy whose setting, where it has one, is one of the configuration's. */
interface SwitchedPolicy extends PolicyDeclaration {
  readonly http: PolicyDeclaration['http'] & { readonly feature?: { readonly setting: FeatureSetting } };
}

/** `/api/v1/<route>`: policies of one kind are listed, set and removed. */
export function policyController(policy: SwitchedPolicy): Type<PolicyController> {
  const { field, http } = policy;
  class SetPolicyDto extends setPolicyDto(policy) {}

  @Controller(http.route)
  class Routes extends PolicyController {
    constructor(requests: PolicyRequests) {
      super(requests);
    }

    @Get()
    read(@Query('path') path?: unknown): Promise<PolicyAnswer | Results<PolicyAnswer>> {
      return this.requests.read(policy, path, (key, value) => this.present(key, { [field]: value }));
    }

    @Post()
    @HttpCode(200)
    async set(@Body() dto: SetPolicyDto, @Req() request: FastifyRequest): Promise<Ok> {
      const asked = (dto as unknown as Record<string, unknown>)[field];
      const value = http.parse ? http.parse(asked as string) : asked;
      const answer = await this.requests.execute(setPolicy(policy, dto.path, value), request);
      await this.whenSet();
      return answer;
    }

    @Delete()
    @HttpCode(200)
    remove(@Body() { path }: PolicyPathDto, @Req() request: FastifyRequest): Promise<Ok> {
      return this.requests.execute(removePolicy(policy, path), request);
    }
  }
  if (http.feature) UseGuards(featureGuard(http.feature.setting, http.feature.off))(Routes);
  return Routes;
}

type Policy = (typeof policies)[number];
/** What `PolicyController.present` answers, where no controller of its own overrides it. */
type Presented<P extends Policy> = { path: string } & Record<P['field'], ReturnType<P['value']['parse']>>;
type Undeclared<P extends Policy> = P extends { readonly http: { readonly hasOwnController: true } }
  ? never
  : Presented<P> extends AnswerOf<P['http']['answer']>
    ? Mismatch<Presented<P>, AnswerOf<P['http']['answer']>>
    : `${P['noun']}: a field is missing, or has another type`;
/** Does not compile where the common routes answer something else than a policy declares. */
const all: [Undeclared<Policy>] extends [never] ? readonly SwitchedPolicy[] : Undeclared<Policy> = policies;

/** Of all kinds of policies but those that have one of their own. */
export const commonPolicyControllers = all.filter(({ http }) => !http.hasOwnController).map(policyController);
