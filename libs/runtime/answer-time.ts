import { retryWhile } from '#async';
import { DomainError, type CommandContext } from '#kernel';

/** How long a request may wait, from its arrival on. What has begun by then may still end, so that 15 s are kept. */
const answerWithinMs = 12_000;

/** The least that each step gets. */
const leastMs = 500;
/** Pause between two questions when the first had no answer. */
const againMs = 100;

const arrivals = new WeakMap<object, number>();
const deadlines = new WeakMap<CommandContext, number>();

/** Call this before anything else for a request: all its waiting counts from here. */
export function noteArrival(request: object): void {
  arrivals.set(request, performance.now());
}

/** Lets all steps of this command share the time that its request has. */
export function shareTime(context: CommandContext, request: object): CommandContext {
  const arrivedMs = arrivals.get(request);
  if (arrivedMs !== undefined) deadlines.set(context, arrivedMs + answerWithinMs);
  return context;
}

/** How long each further step of this command may take, milliseconds: what is left for all of it, but never nothing. */
export function timeLeft(context: CommandContext): () => number {
  const deadlineMs = deadlines.get(context) ?? performance.now() + answerWithinMs;
  return () => Math.max(leastMs, deadlineMs - performance.now());
}

/**
 * Asks until there is an answer, for as long as the command has time: during an election, which takes four to ten
 * seconds, nothing answers. Only for questions that may be asked twice.
 *
 * @param ask gets the milliseconds that the question may take
 * @throws what `ask` throws, if that is not Unavailable or the time is over
 */
export function untilAnswered<T>(leftMs: () => number, ask: (timeoutMs: number) => Promise<T>): Promise<T> {
  const mayPass = (error: unknown): boolean => {
    const passes = error instanceof DomainError && error.kind === 'Unavailable' && error.code !== 'reader-stopped';
    return passes && leftMs() > leastMs;
  };
  return retryWhile(() => ask(leftMs()), { mayPass, pauseMs: againMs });
}
