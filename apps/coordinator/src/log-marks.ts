import type { ProcessConfig } from '#config';
import { logMarkAnswerSchema, logMarkVerb, logView, workerWitness, type Witness } from '#contexts/log';
import { LogGuard, MarkFile } from '#contexts/log/marks';
import { membershipBoundary } from '#contexts/membership';
import type { Broadcasts, EventStore, Log, Names } from '#jetstream';
import { ownContext, type Recorder, type Views } from '#runtime';

/** Nobody knows how many workers there are before the log has been read: whoever is up answers well within this. */
const answerWithinMs = 1000;

export interface GuardOptions {
  config: ProcessConfig;
  selfId: string;
  store: EventStore;
  recorder: Recorder;
  log: Log;
  onLost: (error: unknown) => void;
}

/** @throws DomainError Malformed when the mark's file holds none */
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

/** What this coordinator has seen in its earlier lives. */
export function ownWitness(config: ProcessConfig, file: MarkFile | undefined): Witness | undefined {
  return file?.mark && { who: `this coordinator (${config.logMark})`, mark: file.mark };
}

/**
 * Asks the workers that are up how far they have seen the log: at once, so that they can answer while the streams are
 * made sure of, and then at every call but the first, which takes those answers. Settles at once when there is no worker.
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
  // Told in the middle of it: the views do not yet say that they include the commit.
  views.onCommit(({ sequence }) => follow(sequence));
}
