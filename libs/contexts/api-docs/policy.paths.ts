import { policies, type PolicyDeclaration } from '#contexts/namespace';
import { PolicyPathDto, setPolicyDto } from '#contexts/namespace/http';
import { requestSchemaOf } from '#runtime';
import { ref, resultsOf } from '#schema';
import { type Paths } from './openapi.js';
import { answer, asOf, body, error, ok, query, readResponses, requiredMissing, writeResponses } from './responses.js';

const examplePath = '/data/dir/to/path';

/** Every kind of policy is managed alike. */
function pathsOf(policy: PolicyDeclaration & (typeof policies)[number]): Paths {
  const { noun, field, item, http } = policy;
  const { route, what, example } = http;
  const missing = `No ${item} found for path: ${examplePath}`;
  const switchedOff = http.feature && { '501': error('The feature is switched off.', http.feature.off) };
  const tags = [route] as const;
  return {
    [`/api/v1/${route}`]: {
      get: {
        operationId: `read${noun}`,
        tags,
        summary: `List all, or get the ${what} of a path`,
        parameters: [query('path', 'Namespace path of the directory.'), asOf],
        responses: readResponses({
          '200': answer(
            `The ${what}, or the list.`,
            { anyOf: [ref(noun), resultsOf(ref(noun))] },
            { path: examplePath, ...example.answer },
          ),
          '404': error('None at this path.', missing),
          ...switchedOff,
        }),
      },
      post: {
        operationId: `set${noun}`,
        tags,
        summary: `Add or update a ${what}`,
        requestBody: body(requestSchemaOf(setPolicyDto(policy)), {
          path: examplePath,
          [field]: example.value,
        }),
        responses: writeResponses({
          '200': ok(),
          '400': error(
            'The body or a required field is missing, a field is malformed, or no mount covers the path.',
            requiredMissing,
            'No mounted UFS found',
          ),
          ...switchedOff,
        }),
      },
      delete: {
        operationId: `delete${noun}`,
        tags,
        summary: `Delete a ${what}`,
        requestBody: body(requestSchemaOf(PolicyPathDto), { path: examplePath }),
        responses: writeResponses({
          '200': ok(),
          '400': error(
            'The body or a required field is missing, the path is malformed, or there is none at it.',
            requiredMissing,
            missing,
          ),
          ...switchedOff,
        }),
      },
    },
  };
}

export const policyPaths: Paths = Object.assign({}, ...policies.map(pathsOf)) as Paths;
