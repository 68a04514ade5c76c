import { type View } from '#kernel';
import { checkpointBoundary } from './checkpoint.events.js';
import { log, logBoundary, type LogState } from './log.js';

export interface LogViewState {
  /** Last sequence of the log's own boundary: the expected sequence of the next append. */
  sequence: number;
  state: LogState;
  /** The newest checkpoint. Its `sequence` is the expected sequence of the next append to the checkpoint boundary. */
  checkpoint?: { sequence: number; throughSequence: number; root: string };
  /** The newest message that is not a checkpoint. The next checkpoint must cover it. */
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
