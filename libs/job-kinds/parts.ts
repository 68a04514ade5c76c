import type { Type } from '@nestjs/common';
import type { ApiPart } from '#contexts/api-docs';
import type { CoordinatorJobKind } from '#contexts/jobs/kinds';

/** The coordinator's parts of a job kind: how it plans jobs, its routes, and their part of the API's description. */
export interface JobKindParts {
  kind: CoordinatorJobKind;
  module: Type;
  docs: ApiPart;
}
