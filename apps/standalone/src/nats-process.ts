import path from 'node:path';
import type { DataDirectory } from './data-directory.js';
import type { PidFiles } from './pid-files.js';
import type { ProcessSpec } from './supervised-process.js';

/** Names the environment variable by which `nats-host` gets its options. Not the command line: that is for all to see. */
export const NATS_HOST_OPTIONS = 'NATS_HOST_OPTIONS';

export interface NatsHostOptions {
  /** Of the project, whose .cache may hold a nats-server. */
  readonly root: string;
  readonly storeDir: string;
  /** 0: any free one. */
  readonly port: number;
  readonly token: string;
  readonly logFile: string;
}

/** What `nats-host` tells the supervisor when nats-server answers. The URL holds the token. */
export interface NatsReady {
  readonly url: string;
  readonly port: number;
  readonly pid: number;
  readonly version: string;
}

export interface NatsProcess {
  readonly spec: ProcessSpec;
  readonly ready: Promise<NatsReady>;
}

/** How to run this cluster's own nats-server: restarted on the port it had, since clients come back to that one. */
export function natsProcess(options: {
  script: string;
  root: string;
  directory: DataDirectory;
  token: string;
  pidFiles: PidFiles;
}): NatsProcess {
  const { script, root, directory, token, pidFiles } = options;
  let port = 0;
  let announce: (ready: NatsReady) => void;
  const ready = new Promise<NatsReady>((resolve) => (announce = resolve));
  const logFile = path.join(directory.logs, 'nats-server.log');
  const spec: ProcessSpec = {
    name: 'nats',
    script,
    marker: directory.nats,
    env: () => {
      const hostOptions: NatsHostOptions = { root, storeDir: directory.nats, port, token, logFile };
      return { ...process.env, [NATS_HOST_OPTIONS]: JSON.stringify(hostOptions) };
    },
    onMessage: (message) => {
      const answer = message as NatsReady;
      port = answer.port;
      // The server's command line names its configuration file, which lies in the store.
      pidFiles.record('nats-server', answer.pid, directory.nats);
      announce(answer);
    },
    beforeRestart: async () => {
      await pidFiles.killLeftover('nats-server');
    },
  };
  return { spec, ready };
}
