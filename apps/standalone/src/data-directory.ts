import path from 'node:path';
import { makeUsableDirectory } from '#config';
import { makePrivate } from '#private-files';

/** The paths of all data of a standalone cluster. */
export interface DataDirectory {
  readonly root: string;
  /** The log: the store of a single nats-server, or a folder `server-1` and so on for each of several. */
  readonly nats: string;
  /** Output of each process. */
  readonly logs: string;
  /** Pid files. */
  readonly run: string;
  readonly secrets: string;
  /** The mark of the coordinator with this number (from 1): how far it has seen the log. */
  logMark(coordinator: number): string;
  /** Cache and identity of the worker with this number (from 1). */
  worker(number: number): string;
}

const ownNames = /^(nats|logs|run|worker(-\d+)?|secrets\.json.*|standalone\.lock.*|log-mark-coordinator-\d+\.json.*)$/;

const isStandalones = (name: string): boolean => ownNames.test(name);

/**
 * Names the parts of the directory. Makes those that every process expects, without access for other users.
 * @throws ConfigError when one of them cannot be made or written
 */
export function openDataDirectory(root: string): DataDirectory {
  const directory: DataDirectory = {
    root,
    nats: path.join(root, 'nats'),
    logs: path.join(root, 'logs'),
    run: path.join(root, 'run'),
    secrets: path.join(root, 'secrets.json'),
    logMark: (coordinator) => path.join(root, `log-mark-coordinator-${coordinator}.json`),
    worker: (number) => path.join(root, `worker-${number}`),
  };
  makeUsableDirectory('LARDER_DATA_DIR', root, { whole: root });
  makePrivate(root, isStandalones);
  for (const part of [directory.nats, directory.logs, directory.run]) {
    makeUsableDirectory('LARDER_DATA_DIR', part, { whole: root });
  }
  return directory;
}
