import { type CommandContext } from '#kernel';

/** From its arrival on, a request may wait for so long; what has begun by then still ends, so that 15 s are kept. */
const answerWithinMs = 12_000;

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

/** Until when whoever gave this command wants to be answered, of `performance.now()`. */
export function answerByMs(context: CommandContext): number {
  return deadlines.get(context) ?? performance.now() + answerWithinMs;
}
