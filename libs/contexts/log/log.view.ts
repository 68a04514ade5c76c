import { type View } from '#kernel';
import { checkpointBoundary } from './checkpoint.events.js';
import { log, logBoundary, type LogState } from './log.js';

export interface LogViewState {
  /** Of the log's own boundary: the guard for the next command. */
  sequence: number;
  state: LogState;
  /** The newest checkpoint; its `sequence` is the checkpoint boundary's guard. */
  checkpoint?: { sequence: number; throughSequence: number; root: string };
  /** The newest message that is no checkpoint: what a next checkpoint is due for. */
  newestSequence: number;
}

/** Which log this is, and how far it is checkpointed. */
export const logView: View<LogViewState> = {
  name: 'log',
  version: 2,
  initial: () => ({ sequence: 0, state: log.initial, newestSequence: 0 }),
  evolve(view, commit) {
    if (commit.boundary !== checkpointBoundary.name) view.newestSequence = commit.sequence;
    switch (commit.boundary) {
      case logBoundary.name:
        view.sequence = commit.sequence;
        for (const event of logBoundary.eventsIn(commit)) view.state = log.evolve(view.state, event);
        break;
      case checkpointBoundary.name:
        for (const { data } of checkpointBoundary.eventsIn(commit)) {
          view.checkpoint = { sequence: commit.sequence, throughSequence: data.throughSequence, root: data.root };
        }
        break;
      default:
        break; // other contexts
    }
  },
  toSnapshot: (view) => view,
  fromSnapshot: (snapshot) => snapshot as LogViewState,
};
