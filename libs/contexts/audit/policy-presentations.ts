import { policies, type PolicyDeclaration, type PolicyEvent } from '#contexts/namespace';
import { type Presentation } from './presentation.js';

/** Policies show what they are declared to record, a value at a path, whatever kind they are. */
export const policyPresentations = Object.fromEntries(
  policies.flatMap(({ noun, field }: PolicyDeclaration) => [
    [`${noun}Set`, presentation('path', field)],
    [`${noun}Removed`, presentation('path')],
  ]),
) as Readonly<Record<PolicyEvent['type'], Presentation<PolicyEvent['data']>>>;

function presentation(...fields: readonly string[]): Presentation<{ path: string } & Record<string, unknown>> {
  return {
    scope: 'namespace',
    show: (data) => Object.fromEntries(fields.map((field) => [field, data[field]])),
    paths: ({ path }) => [path],
  };
}
