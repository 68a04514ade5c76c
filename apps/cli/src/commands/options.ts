import { type Command, InvalidArgumentError } from 'commander';
import { type Moment, parseMoment } from '#runtime';

/** The options that name the log. */
export function clusterOptions(command: Command): Command {
  return command
    .option('--nats <url>', 'NATS to use (default: LARDER_NATS_URL)')
    .option('--cluster <name>', 'name of the cluster in it (default: LARDER_CLUSTER, or larder)')
    .option('--data-dir <directory>', 'the running cluster of npm start in this directory (default: LARDER_DATA_DIR)');
}

/** A place in a log: a sequence, or a time in milliseconds since the epoch. */
export type LogPoint = Moment;

/** @throws InvalidArgumentError for anything except a sequence or a time in ISO 8601 */
export function parseLogPoint(text: string): LogPoint {
  try {
    return parseMoment(text, 'it');
  } catch {
    throw new InvalidArgumentError('expected a sequence or a time such as 2026-01-31T12:00:00Z.');
  }
}
