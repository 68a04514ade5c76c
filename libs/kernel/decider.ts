import type { DomainEvent } from './event.js';

/**
 * The pure rules of an aggregate. `decide` turns a command into the events that follow from it (none if it changes
 * nothing), or throws a DomainError. `evolve` folds an event and never throws.
 */
export interface Decider<State, Command, Event extends DomainEvent> {
  readonly initial: State;
  evolve(state: State, event: Event): State;
  decide(state: State, command: Command): readonly Event[];
}

export function fold<State, Event extends DomainEvent>(
  decider: Pick<Decider<State, never, Event>, 'initial' | 'evolve'>,
  events: Iterable<Event>,
  from: State = decider.initial,
): State {
  let state = from;
  for (const event of events) state = decider.evolve(state, event);
  return state;
}
