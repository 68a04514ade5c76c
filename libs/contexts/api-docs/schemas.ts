import { policies, type PolicyDeclaration, type PolicyField } from '#contexts/namespace';
import { answerObject, count, flag, listOf, oneOfTexts, text, type Schema } from './openapi.js';

/** Schemas that are defined once in the document and referred to by name. */

export const ref = (name: string): Schema => ({ $ref: `#/components/schemas/${name}` });

/** A field of every answer that is an object. Present only if there is something to name. */
export const ignored = listOf(
  { type: 'string' },
  'Parts of the request without effect, by name: fields (`options.x`) and query parameters that are not known, or have no meaning here. Absent when there are none.',
);

/** The object of a whole answer. It also names the parts of the request that had no effect. */
export const wholeAnswer = (properties: Readonly<Record<string, Schema>>, optional: readonly string[] = []): Schema =>
  answerObject({ ...properties, ignored }, [...optional, 'ignored']);

export const uuid = (description: string): Schema => ({ type: 'string', pattern: '^[0-9a-f-]{36}$', description });

export const failure = answerObject(
  {
    path: text('UFS path.'),
    reason: text('Why it failed, in words.'),
    attempts: count('How often it was tried.'),
    workerId: text('The worker that tried.'),
  },
  ['workerId'],
);

const node = wholeAnswer(
  {
    identity: text('worker-<uuid>, kept across restarts.'),
    address: text('host:port of its read path.'),
    status: oneOfTexts(['ONLINE', 'OFFLINE'], 'ONLINE while its heartbeats arrive.'),
    capacityBytes: count('Size of its cache.'),
    version: text('Version of its software.'),
    usedBytes: count('Bytes cached, by its last heartbeat.'),
    cachedObjects: count('Objects cached, by its last heartbeat.'),
    unmountedBytes: count('Of the bytes cached, those that no mount covers.'),
    unmountedObjects: count('Of the objects cached, those that no mount covers.'),
  },
  ['usedBytes', 'cachedObjects', 'unmountedBytes', 'unmountedObjects'],
);

/** A field of a policy, in a request or in an answer. */
export function policyField(field: PolicyField): Schema {
  if (field.kind === 'text') {
    return field.oneOf ? oneOfTexts(field.oneOf, field.description) : { ...text(field.description), minLength: 1 };
  }
  return { ...count(field.description), minimum: field.min ?? 0 };
}

const policySchemas = Object.fromEntries(
  policies.map(({ noun, http: { answer } }: PolicyDeclaration) => {
    const fields = Object.entries(answer).map(([name, field]) => [name, policyField(field)] as const);
    const optional = Object.keys(answer).filter((name) => answer[name].optional);
    return [noun, wholeAnswer({ path: text('Directory of the namespace.'), ...Object.fromEntries(fields) }, optional)];
  }),
) as Record<(typeof policies)[number]['noun'], Schema>;

export const schemas = {
  Status: answerObject({ status: { ...text('One sentence for people.'), minLength: 1 } }),
  Ok: wholeAnswer({ status: { type: 'string', const: 'ok' } }),
  Mounted: wholeAnswer(
    {
      status: { type: 'string', const: 'ok' },
      warning: {
        ...text('Problem that this coordinator found: no such directory or bucket, no access, no answer.'),
        minLength: 1,
      },
    },
    ['warning'],
  ),
  MountReplaced: wholeAnswer(
    {
      status: { type: 'string', const: 'ok' },
      warning: { ...text('Problem that this coordinator found with the new options.'), minLength: 1 },
      stillUsing: listOf(
        text('host:port'),
        'Workers that may still use the old options: they have not confirmed the new ones.',
      ),
    },
    ['warning', 'stillUsing'],
  ),
  JobId: wholeAnswer({ id: uuid('Job id.') }),
  ExistingJob: answerObject({
    id: uuid('Id of the job that already has this target.'),
    resumed: flag('Whether it was stopped and runs again because of this request.'),
    applied: { type: 'object', additionalProperties: {}, description: 'Options of this request that now hold.' },
    ignored: {
      type: 'object',
      additionalProperties: {},
      description: 'Options that differ and were not taken over, and fields and query parameters that are not known.',
    },
  }),
  Failure: failure,
  Node: node,
  Mount: wholeAnswer(
    {
      path: text('Namespace path, begins and ends with /.'),
      ufs: text('UFS root, ends with /.'),
      options: {
        type: 'object',
        additionalProperties: { type: 'string' },
        description: 'All values but those that are known to be harmless are shown as ******. Absent when empty.',
      },
    },
    ['options'],
  ),
  ...policySchemas,
  Event: answerObject(
    {
      sequence: count('Place of its commit in the log.'),
      index: count('Its place among the events of its commit, which are all or nothing.'),
      id: uuid('Its own.'),
      type: text('What happened.'),
      v: count('Version of the type.'),
      kind: text('Scope: the first part of the boundary.'),
      at: text('When it was decided, by the clock of the deciding process; ISO 8601.'),
      recordedAt: text('When the log took it in, by the clock of NATS; ISO 8601.'),
      actor: text('The actor: from X-Larder-Actor, or `coordinator:<id>` or `worker:<id>`.'),
      source: text('Address that the request came from; absent where there was no request.'),
      requestId: text('From X-Request-Id, or generated.'),
      boundary: text('What it was decided on: commits of one boundary exclude each other.'),
      data: { type: 'object', additionalProperties: {}, description: 'By type. Secrets stand there as `******`.' },
    },
    ['source'],
  ),
} as const satisfies Record<string, Schema>;
