import { policies, type PolicyDeclaration } from '#contexts/namespace';
import { requestObject, text, type Paths, type Schema } from './openapi.js';
import {
  answer,
  asOf,
  body,
  error,
  ok,
  query,
  readResponses,
  requiredMissing,
  results,
  writeResponses,
} from './responses.js';
import { policyField, ref } from './schemas.js';

const examplePath = '/data/dir/to/path';
const path: Schema = { ...text('Namespace path of a directory, begins with /.'), minLength: 1 };

/** All kinds of policies have the same routes. */
function pathsOf({ noun, field, item, http }: PolicyDeclaration & (typeof policies)[number]): Paths {
  const { route, what, request, example } = http;
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
            { anyOf: [ref(noun), results(noun)] },
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
        requestBody: body(requestObject({ path, [field]: policyField(request) }, ['path', field]), {
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
        requestBody: body(requestObject({ path }, ['path']), { path: examplePath }),
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
