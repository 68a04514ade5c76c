import { eventAnswer } from '#contexts/audit';
import { existingJobAnswer, failureAnswer, jobIdAnswer } from '#contexts/jobs/kinds';
import { nodeAnswer } from '#contexts/membership/http';
import { policies } from '#contexts/namespace';
import { mountAnswer, mountedAnswer, mountRemovedAnswer, mountReplacedAnswer } from '#contexts/namespace/http';
import { answerObject, okAnswer, text, type Schema } from '#schema';

type Noun = (typeof policies)[number]['noun'];
const policySchemas = Object.fromEntries<Schema>(policies.map(({ noun, http }) => [noun, http.answer])) as Record<
  Noun,
  Schema
>;

/** Schemas that are defined once in the document and referred to by name. */
export const schemas = {
  Status: answerObject({ status: { ...text('One sentence for people.'), minLength: 1 } }),
  Ok: okAnswer,
  Mounted: mountedAnswer,
  MountReplaced: mountReplacedAnswer,
  MountRemoved: mountRemovedAnswer,
  JobId: jobIdAnswer,
  ExistingJob: existingJobAnswer,
  Failure: failureAnswer,
  Node: nodeAnswer,
  Mount: mountAnswer,
  ...policySchemas,
  Event: eventAnswer,
} as const satisfies Record<string, Schema>;
