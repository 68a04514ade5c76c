import { idsOf, scopeOf, type RecordedEvent } from '#kernel';
import type { Logger } from 'pino';

/** Called with what a command of this process has written to the log. */
export type OnCommitted = (boundary: string, events: readonly RecordedEvent[], sequence: number) => void;

/** Frequent steps of a job, by the thousand. The course of a job is clear without them. */
const steps: ReadonlySet<string> = new Set(['BatchesPlanned', 'BatchesDispatched', 'PassStarted', 'QuotaReserved']);

/** Fields of an event's data that identify its subject; none of them is ever secret. */
const telling = ['jobId', 'kind', 'alias', 'owner', 'epoch', 'state', 'path', 'workerId'] as const;

/**
 * Logs one line for each event of a command of this process, with the id of the request behind it: `job submitted`,
 * `job assumed`, `mounted`. Level `info`, but `debug` for the frequent steps of a job.
 */
export function commitLines(logger: Logger): OnCommitted {
  return (boundary, events, sequence) => {
    for (const { type, actor, requestId, data } of events) {
      const level = steps.has(type) ? 'debug' : 'info';
      logger[level]({ ...about(boundary, data), sequence, requestId, actor }, inWords(type));
    }
  };
}

function about(boundary: string, data: unknown): Record<string, unknown> {
  const fields = data as Record<string, unknown>;
  const told = telling.filter((name) => ['string', 'number'].includes(typeof fields[name]));
  return {
    ...(scopeOf(boundary) === 'job' ? { jobId: idsOf(boundary)[0] } : {}),
    ...Object.fromEntries(told.map((name) => [name, fields[name]])),
  };
}

/** `JobSubmitted` as `job submitted`. */
function inWords(type: string): string {
  return type.replace(/(?<=[a-z])(?=[A-Z])/g, ' ').toLowerCase();
}
