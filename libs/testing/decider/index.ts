import { DomainError, fold, type Decider, type DomainEvent } from '#kernel';

/**
 * Given-when-then for an aggregate: past events, a command, the events that follow.
 *
 * `given(decider, events).when(command).then(events)` or `.thenRefused(code)`.
 */
export function given<State, Command, Event extends DomainEvent>(
  decider: Decider<State, Command, Event>,
  events: readonly Event[],
) {
  const state = fold(decider, events);
  return {
    state,
    when(command: Command) {
      const decide = () => decider.decide(state, command);
      return {
        then(expected: readonly Event[]): void {
          expect(decide()).toEqual(expected);
        },
        thenRefused(code: string, message?: RegExp): void {
          const error = refusalOf(decide);
          expect(error.code).toBe(code);
          if (message) expect(error.message).toMatch(message);
        },
      };
    },
  };
}

/** The repeat law: after any command, the same command again leads to no event, or is refused. */
export function repeatAddsNothing<State, Command, Event extends DomainEvent>(
  decider: Decider<State, Command, Event>,
  history: readonly Command[],
): void {
  let state = decider.initial;
  for (const command of history) {
    const first = decideOrNothing(decider, state, command);
    for (const event of first) state = decider.evolve(state, event);
    expect(decideOrNothing(decider, state, command)).toEqual([]);
  }
}

function decideOrNothing<State, Command, Event extends DomainEvent>(
  decider: Decider<State, Command, Event>,
  state: State,
  command: Command,
): readonly Event[] {
  try {
    return decider.decide(state, command);
  } catch (error) {
    if (error instanceof DomainError && error.kind !== 'Bug') return [];
    throw error;
  }
}

function refusalOf(decide: () => unknown): DomainError {
  try {
    const events = decide();
    throw new Error(`expected a refusal, got ${JSON.stringify(events)}`);
  } catch (error) {
    if (error instanceof DomainError) return error;
    throw error;
  }
}
