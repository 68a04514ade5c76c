import type { Type } from '@nestjs/common';
import type { ApiPart } from '#contexts/api-docs';
import type { CoordinatorJobKind } from '#contexts/jobs/kinds';

/** What a coordinator has of a kind of jobs: how it plans them, their routes, and what the API's description says of these. */
export interface JobKindParts {
  kind: CoordinatorJobKind;
  module: Type;
  docs: ApiPart;
}
