import { wireStates } from '#contexts/jobs';
import { policies, type PolicyDeclaration, type PolicyField } from '#contexts/namespace';
import { answerObject, count, flag, listOf, oneOfTexts, text, type Schema } from './openapi.js';

/** Schemas that stand once in the document, and are named where they are used. */

export const ref = (name: keyof typeof schemas): Schema => ({ $ref: `#/components/schemas/${name}` });

/** Stands in every answer that is an object, where there is something to name. */
export const ignored = listOf(
  { type: 'string' },
  'What was asked for and has no effect, by name: fields (`options.x`) and query parameters that are not known, or have no meaning here. Absent when there are none.',
);

/** An answer's object as a whole: what was asked for and had no effect is named in it. */
const wholeAnswer = (properties: Readonly<Record<string, Schema>>, optional: readonly string[] = []): Schema =>
  answerObject({ ...properties, ignored }, [...optional, 'ignored']);

const uuid = (description: string): Schema => ({ type: 'string', pattern: '^[0-9a-f-]{36}$', description });

const startTime: Schema = {
  type: 'string',
  pattern: '^\\d{4}-\\d\\d-\\d\\dT\\d\\d:\\d\\d:\\d\\d\\.\\d{3}[+-]\\d\\d:\\d\\d$',
  description: 'When the job was submitted, with a numeric offset.',
};

const failure = answerObject(
  {
    path: text('UFS path.'),
    reason: text('Why it failed, in words.'),
    attempts: count('How often it was tried.'),
    workerId: text('The worker that tried.'),
  },
  ['workerId'],
);

const errorMessage = answerObject(
  {
    message: text('What there is to say about the outcome, in words.'),
    failures: { ...listOf(failure, 'The first failures, by path.'), maxItems: 20 },
  },
  ['message', 'failures'],
);

const jobFields = {
  id: uuid('Job id.'),
  startTime,
  state: oneOfTexts(wireStates, 'SUCCEEDED, FAILED and STOPPED are final until someone resumes a STOPPED job.'),
  errorMessage: { ...errorMessage, description: '{} when there is nothing to say.' },
};

const waits = ['WAITING_FOR_STORE', 'WAITING_FOR_WORKER'];
const waitingFor = {
  ...wholeAnswer({
    for: oneOfTexts(['store', 'worker'], 'What the job stands still for.'),
    since: { ...text('ISO 8601.') },
    reason: text('Why, in words: what the store said last.'),
  }),
  description: 'Only while a running job waits; `errorMessage` says it too. That of a store is not known with `asOf`.',
};

const elapsed = count('Milliseconds from the submission to now or to the end; never runs backwards.');
const paths = listOf({ type: 'string' }, 'As submitted.');
const index = text('As submitted; "" without one.');
const alias = text('As submitted, or made up.');

const loadProgress = wholeAnswer(
  {
    ...jobFields,
    runningState: oneOfTexts(
      ['', 'WAITING', 'LISTING', 'LOADING', 'RETRYING', 'VERIFYING', ...waits],
      'What a running job is doing; "" otherwise.',
    ),
    failedFileListPath: text('Where all failures can be read; "" when there are none.'),
    paths,
    index,
    skipIfExists: flag('Option in force.'),
    loadMetadataOnly: flag('Option in force.'),
    verify: flag('Option in force.'),
    bandwidth: count('Bytes/s per worker in force; 0 = unlimited.'),
    timeElapsedMilliseconds: elapsed,
    loadedBytes: count('Bytes loaded.'),
    skippedBytes: count('Bytes of files that were there already (skipIfExists).'),
    totalBytes: count('Loaded, skipped, failed and in flight.'),
    loadedNonEmptyFiles: count('Files loaded that are longer than 0 bytes.'),
    failedFiles: count('Files that could not be loaded.'),
    scannedFiles: count('Files met in the UFS: loaded, skipped, failed, filtered and in flight.'),
    quota: answerObject(
      {
        totalBytes: count('The tightest quota above all that the job loads; 0 where none applies.'),
        remaining: count('Bytes left below it. Not with `asOf`: only heartbeats know.'),
      },
      ['remaining'],
    ),
    quotaCheckError: text('The quota that would be exceeded, in words; "" when none.'),
    alias,
    loadedFiles: count('Files loaded.'),
    skippedFiles: count('Files that were there already (skipIfExists).'),
    filteredFiles: count('Files dropped by fileFilterRegex.'),
    specialFiles: {
      type: 'object',
      description:
        'What was passed over because it holds no data of its own, by kind (`directoryLinks`, `fifos`, `sockets`, `devices`, `other`); absent when nothing was. None of them counts as scanned.',
      additionalProperties: answerObject({
        count: count('How many.'),
        examples: { ...listOf({ type: 'string' }, 'The first of them, by UFS path.'), maxItems: 5 },
      }),
    },
    inFlightFiles: count('Files handed to workers and not yet settled.'),
    inFlightLoadedBytes: count('Bytes of those that have already moved.'),
    failedBytes: count('Bytes of the failed files.'),
    verifiedFiles: count('Files compared with the UFS and found equal.'),
    repairedFiles: count('Files that differed and were loaded again.'),
    verifyFailedFiles: count('Files that differed and could not be mended.'),
    replicas: count('Option in force.'),
    replicaFilesLoaded: count('Further copies loaded or found.'),
    replicaFilesFailed: count('Further copies that failed.'),
    batchSize: count('Option in force.'),
    fileFilterRegex: text('Option in force.'),
    owner: text('The coordinator that drives the job; "" before one does.'),
    epoch: count('Raised whenever another coordinator takes the job over.'),
    listingComplete: flag('Whether the UFS has been listed to the end.'),
    waitingFor,
  },
  ['quota', 'quotaCheckError', 'specialFiles', 'waitingFor'],
);

const freeProgress = wholeAnswer(
  {
    ...jobFields,
    paths,
    index,
    timeElapsedMilliseconds: elapsed,
    freedBytes: count('Bytes freed.'),
    failedBytes: count('Bytes that could not be freed.'),
    totalBytes: count('Both.'),
    freedFiles: count('Files freed, each once whatever the number of its replicas.'),
    failedFiles: count('Files that could not be freed.'),
    totalFiles: count('Both. Files, not bytes.'),
    alias,
    recursive: flag('Option in force.'),
    freedReplicas: count('Further copies freed.'),
    inFlightFreedFiles: count('Freed by batches that are still in hand.'),
    unmounted: flag('Option in force; absent when it is not.'),
    runningState: oneOfTexts(waits, 'Only while it waits.'),
    waitingFor,
  },
  ['unmounted', 'runningState', 'waitingFor'],
);

const rebalanceProgress = wholeAnswer(
  {
    ...jobFields,
    timeElapsedMilliseconds: elapsed,
    totalWorkers: count('Workers the job is about.'),
    runningWorkers: count('Of those, still at it.'),
    succeededWorkers: count('Of those, done.'),
    failedWorkers: count('Of those, not able to do their part.'),
    filesPreserved: count('Files that were where they belong.'),
    bytesPreserved: count('Their bytes.'),
    filesLoaded: count('Files brought to where they belong.'),
    bytesLoaded: count('Their bytes.'),
    filesPruned: count('Copies removed from where they no longer belong.'),
    bytesPruned: count('Their bytes.'),
    filesFailed: count('Files that could not be moved.'),
    target: text('As submitted.'),
    runningState: oneOfTexts(['', 'LOADING', 'PRUNING', ...waits], 'What a running job is doing; "" otherwise.'),
    filesFromPeers: count('Of the loaded files, those fetched from another worker.'),
    filesFromUfs: count('Of the loaded files, those fetched from the UFS.'),
    loadBatchSize: count('Option in force.'),
    loadBandwidth: count('Bytes/s per worker in force; 0 = unlimited.'),
    pruneBandwidth: count('Bytes/s per worker in force; 0 = unlimited.'),
    skipPrune: flag('Option in force.'),
    waitingFor,
  },
  ['waitingFor'],
);

const node = wholeAnswer(
  {
    identity: text('worker-<uuid>, kept across restarts.'),
    address: text('host:port of its read path.'),
    status: oneOfTexts(['ONLINE', 'OFFLINE'], 'Whether it is heard of.'),
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
        ...text('What this coordinator found amiss when it looked: no such directory or bucket, no access, no answer.'),
        minLength: 1,
      },
    },
    ['warning'],
  ),
  MountReplaced: wholeAnswer(
    {
      status: { type: 'string', const: 'ok' },
      warning: { ...text('What this coordinator found amiss when it looked with the new options.'), minLength: 1 },
      stillUsing: listOf(
        text('host:port'),
        'Workers that may still use the old options: they have not said otherwise.',
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
  LoadProgress: loadProgress,
  FreeProgress: freeProgress,
  RebalanceProgress: rebalanceProgress,
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
      at: text('When it was decided, by the clock of who did; ISO 8601.'),
      recordedAt: text('When the log took it in, by the clock of NATS; ISO 8601.'),
      actor: text('Who asked: as told by X-Larder-Actor, `coordinator:<id>` or `worker:<id>`.'),
      source: text('Address that the request came from; absent where there was no request.'),
      requestId: text('As told by X-Request-Id, or made up.'),
      boundary: text('What it was decided on: commits of one boundary exclude each other.'),
      data: { type: 'object', additionalProperties: {}, description: 'By type. Secrets stand there as `******`.' },
    },
    ['source'],
  ),
} as const satisfies Record<string, Schema>;
