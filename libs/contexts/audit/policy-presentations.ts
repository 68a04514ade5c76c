import { policies, type PolicyDeclaration, type PolicyEvent } from '#contexts/namespace';
import { type Presentation } from './presentation.js';

/** Policies of every kind show the data that their declaration records: a path and a value. */
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
