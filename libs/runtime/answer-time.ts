import { retryWhile } from '#async';
import { DomainError, type CommandContext } from '#kernel';

/** From its arrival on, a request may wait for so long; what has begun by then still ends, so that 15 s are kept. */
const answerWithinMs = 12_000;

/** What each step is given in any case. */
const leastMs = 500;
/** Between two questions of which the first found nobody to answer. */
const againMs = 100;

const arrivals = new WeakMap<object, number>();
const deadlines = new WeakMap<CommandContext, number>();

/** To be called first of all for a request: everything that it waits for counts. */
export function noteArrival(request: object): void {
  arrivals.set(request, performance.now());
}

/** All that is done for this command shares the time that its request has. */
export function shareTime(context: CommandContext, request: object): CommandContext {
  const arrivedMs = arrivals.get(request);
  if (arrivedMs !== undefined) deadlines.set(context, arrivedMs + answerWithinMs);
  return context;
}

/** How long each further step of this command may take, milliseconds: what is left for all of it, and never nothing. */
export function timeLeft(context: CommandContext): () => number {
  const deadlineMs = deadlines.get(context) ?? performance.now() + answerWithinMs;
  return () => Math.max(leastMs, deadlineMs - performance.now());
}

/**
 * Asks until there is an answer, for as long as the command has time: an election takes four to ten seconds, and nothing
 * answers meanwhile. Only for what may be asked twice.
 *
 * @param ask with what the question may take, milliseconds
 * @throws what it throws, if that is not Unavailable or when the time is over
 */
export function untilAnswered<T>(leftMs: () => number, ask: (timeoutMs: number) => Promise<T>): Promise<T> {
  const mayPass = (error: unknown): boolean => {
    const passes = error instanceof DomainError && error.kind === 'Unavailable' && error.code !== 'reader-stopped';
    return passes && leftMs() > leastMs;
  };
  return retryWhile(() => ask(leftMs()), { mayPass, pauseMs: againMs });
}
