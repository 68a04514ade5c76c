import { logMarkAnswerSchema, logMarkVerb, logView, workerWitness, type Witness } from '#contexts/log';
import type { MarkFile } from '#contexts/log/marks';
import type { Broadcasts, Names } from '#jetstream';
import type { Views } from '#runtime';

/** Nobody knows how many workers there are before the log has been read: whoever is up answers well within this. */
const answerWithinMs = 1000;

/** How far the workers that are up have seen the log. Returns at once when there is none. */
export async function askWorkers(broadcasts: Broadcasts, names: Names): Promise<Witness[]> {
  const options = { expected: Number.POSITIVE_INFINITY, timeoutMs: answerWithinMs };
  const answers = await broadcasts.requestAll(names.workersControl(logMarkVerb), {}, options);
  return answers.flatMap((answer) => {
    const { data } = logMarkAnswerSchema.safeParse('value' in answer ? answer.value : undefined);
    return data?.mark ? [{ who: workerWitness(data.workerId, data.address), mark: data.mark }] : [];
  });
}

/** From now on the mark follows the views. */
export function keepMark(mark: MarkFile, views: Views): void {
  const follow = (): void => {
    mark.saw(views.appliedSequence);
    const { logId } = views.get(logView).state;
    if (logId !== undefined) mark.identify(logId);
  };
  follow();
  views.onCommit(follow);
}
