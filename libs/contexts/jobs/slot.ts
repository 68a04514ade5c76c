import { DomainError, exhausted, unreachable, type Decider } from '#kernel';
import type { SlotEvent } from './job.events.js';

/**
 * A slot is a (kind, target) pair; at most one unfinished job holds it. The holder's own boundary tells whether it has
 * finished, and the command carries the answer. A finished job stays finished, so that answer cannot become outdated.
 */
export interface SlotState {
  readonly jobId?: string;
}

export type SlotCommand = {
  type: 'Submit';
  jobId: string;
  kind: string;
  target: string;
  alias: string;
  spec: Record<string, unknown>;
  holderFinished: boolean;
};

const initial: SlotState = {};

function evolve(state: SlotState, event: SlotEvent): SlotState {
  switch (event.type) {
    case 'JobSubmitted':
      return { jobId: event.data.jobId };
    default:
      return exhausted(event.type, state);
  }
}

function decide(state: SlotState, command: SlotCommand): SlotEvent[] {
  switch (command.type) {
    case 'Submit': {
      const { jobId, kind, target, alias, spec } = command;
      if (state.jobId === jobId) return [];
      if (state.jobId !== undefined && !command.holderFinished) {
        throw new DomainError('Refused', 'slot-taken', `job ${state.jobId} already works on this target`, {
          body: { id: state.jobId },
        });
      }
      return [{ type: 'JobSubmitted', data: { jobId, kind, target, alias, spec } }];
    }
    default:
      return unreachable(command.type);
  }
}

export const slot: Decider<SlotState, SlotCommand, SlotEvent> = { initial, evolve, decide };
