import type { ProcessConfig } from '#config';
import { logMarkAnswerSchema, logMarkVerb, logView, workerWitness, type Witness } from '#contexts/log';
import { LogGuard, MarkFile } from '#contexts/log/marks';
import { membershipBoundary } from '#contexts/membership';
import type { Broadcasts, EventStore, Log, Names } from '#jetstream';
import { ownContext, type Recorder, type Views } from '#runtime';

/** Before the log was read, the number of workers is unknown. A running worker answers well within this time. */
const answerWithinMs = 1000;

export interface GuardOptions {
  config: ProcessConfig;
  selfId: string;
  store: EventStore;
  recorder: Recorder;
  log: Log;
  onLost: (error: unknown) => void;
}

/** @throws DomainError Malformed when the mark's file holds no mark */
export async function openGuard(options: GuardOptions): Promise<{ guard: LogGuard; mark: MarkFile | undefined }> {
  const { config, selfId, store, recorder, log, onLost } = options;
  const guard = new LogGuard({
    store,
    record: (events) => recorder.record(events, ownContext(`coordinator:${selfId}`)),
    hasWorkers: async () => (await store.lastSequence(membershipBoundary.name)) > 0,
    accept: config.acceptLog,
    graceMs: config.logGraceMs,
    log,
    onLost,
  });
  const mark = config.logMark ? await MarkFile.open(config.logMark, (line) => log('warn', line)) : undefined;
  return { guard, mark };
}

/** What this coordinator saw before its last restart. */
export function ownWitness(config: ProcessConfig, file: MarkFile | undefined): Witness | undefined {
  return file?.mark && { who: `this coordinator (${config.logMark})`, mark: file.mark };
}

/**
 * Asks the running workers how far they have seen the log. The first request is sent immediately, so that they can
 * answer while the streams are checked; the first call takes those answers. Each later call sends a new request.
 * Without any worker, a call resolves immediately.
 */
export function askWorkers(broadcasts: Broadcasts, names: Names): () => Promise<Witness[]> {
  const ask = async (): Promise<Witness[]> => {
    const options = { expected: Number.POSITIVE_INFINITY, timeoutMs: answerWithinMs };
    const answers = await broadcasts.requestAll(names.workersControl(logMarkVerb), {}, options);
    return answers.flatMap((answer) => {
      const { data } = logMarkAnswerSchema.safeParse('value' in answer ? answer.value : undefined);
      return data?.mark ? [{ who: workerWitness(data.workerId, data.address), mark: data.mark }] : [];
    });
  };
  let first: Promise<Witness[]> | undefined = ask();
  return () => {
    const answers = first ?? ask();
    first = undefined;
    return answers;
  };
}

/** From now on the mark follows the views. */
export function keepMark(mark: MarkFile, views: Views): void {
  const follow = (sequence: number): void => {
    mark.saw(sequence);
    const { logId } = views.get(logView).state;
    if (logId !== undefined) mark.identify(logId);
  };
  follow(views.appliedSequence);
  // This runs while the commit is applied: `views.appliedSequence` does not include it yet.
  views.onCommit(({ sequence }) => follow(sequence));
}
