import path from 'node:path';
import { makeUsableDirectory } from '#config';

/** Where everything of a standalone cluster lies. */
export interface DataDirectory {
  readonly root: string;
  /** The log: the store of a single nats-server, or `server-1` and so on for those of several. */
  readonly nats: string;
  /** Output of each process. */
  readonly logs: string;
  /** Pid files. */
  readonly run: string;
  readonly secrets: string;
  /** How far the coordinator with this number, from 1, has seen the log. */
  logMark(coordinator: number): string;
  /** Cache and identity of the worker with this number, from 1. */
  worker(number: number): string;
}

/**
 * Names the parts of the directory and makes those that every process expects.
 * @throws ConfigError when one of them cannot be made, or not be written
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
  for (const part of [root, directory.nats, directory.logs, directory.run]) {
    makeUsableDirectory('LARDER_DATA_DIR', part, { whole: root });
  }
  return directory;
}
