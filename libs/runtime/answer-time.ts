import { type CommandContext } from '#kernel';

/** From its arrival on, a request may wait for so long; what has begun by then still ends, so that 15 s are kept. */
const answerWithinMs = 12_000;

/** What each step is given in any case. */
const leastMs = 500;

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
