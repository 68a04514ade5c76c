import type { RecordedEvent } from '#kernel';
import type { Logger } from 'pino';

/** Told of what a command of this process has written to the log. */
export type OnCommitted = (boundary: string, events: readonly RecordedEvent[], sequence: number) => void;

/** Steps of a job that come by the thousand; its life is told without them. */
const steps: ReadonlySet<string> = new Set(['BatchesPlanned', 'BatchesDispatched', 'PassStarted', 'QuotaReserved']);

/** Of an event's data, what says which thing it is about; none of it is ever secret. */
const telling = ['jobId', 'kind', 'alias', 'owner', 'epoch', 'state', 'path', 'workerId'] as const;

/**
 * One line for each event that a command of this process led to, with the id of the request behind it: `job submitted`,
 * `job assumed`, `mounted`. At `info`, the steps of a job at `debug`.
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
  const [scope, id] = boundary.split('.');
  const fields = data as Record<string, unknown>;
  const told = telling.filter((name) => ['string', 'number'].includes(typeof fields[name]));
  return {
    ...(scope === 'job' ? { jobId: id } : {}),
    ...Object.fromEntries(told.map((name) => [name, fields[name]])),
  };
}

/** `JobSubmitted` as `job submitted`. */
function inWords(type: string): string {
  return type.replace(/(?<=[a-z])(?=[A-Z])/g, ' ').toLowerCase();
}
