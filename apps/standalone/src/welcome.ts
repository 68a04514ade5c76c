import type { NatsReady } from './nats-process.js';

/** What `npm start` prints when the cluster is up: the address, and commands to copy. */
export function welcome(options: {
  /** Base URL of the balancer, if there is one. */
  balancer: string | undefined;
  /** Base URLs of the coordinators. */
  coordinators: readonly string[];
  /** Addresses of the workers. */
  workers: readonly string[];
  /** The cluster's own nats-servers. */
  natsServers: readonly Pick<NatsReady, 'pid' | 'port'>[];
  dataDir: string;
  /** A directory with some files for first steps. */
  sampleDir: string;
}): string {
  const { balancer, coordinators, workers, natsServers, dataDir, sampleDir } = options;
  const url = balancer ?? coordinators[0];
  const post = (path: string, body: unknown) =>
    `curl -X POST ${url}/api/v1/${path} -H 'Content-Type: application/json' -d ${shellQuoted(JSON.stringify(body))}`;
  const addresses = coordinators.map((one) => `${one}/api/v1`).join(', ');
  return [
    ...(balancer === undefined
      ? [`Larder is up: ${addresses}`]
      : [`Larder is up: ${balancer}/api/v1, a balancer before the coordinators`, `Coordinators: ${addresses}`]),
    `Workers: ${workers.join(', ') || 'none'}. Data: ${dataDir}`,
    '',
    'Mount a directory, load it into the cache, watch the job:',
    `  ${post('mount', { path: '/sample', ufs: `file://${sampleDir}` })}`,
    `  ${post('load', { paths: ['/sample'] })}`,
    `  curl ${url}/api/v1/load`,
    ...(natsServers.length > 1 ? losses(url, natsServers) : []),
    '',
    'Ctrl-C stops everything; the next start goes on where this one ended.',
  ].join('\n');
}

/** Commands to try the loss of nats-servers: of one, and of so many that no majority is left. */
function losses(url: string, natsServers: readonly Pick<NatsReady, 'pid' | 'port'>[]): string[] {
  const pids = natsServers.map(({ pid }) => pid);
  const tooMany = pids.slice(0, Math.ceil(pids.length / 2)).join(' ');
  return [
    '',
    `nats-servers: ${natsServers.map(({ pid, port }) => `process ${pid} on port ${port}`).join(', ')}.`,
    'Lose one, and see it come back by itself (writes pause for ten seconds at most), or stop most of them for a while',
    '(writes answer 503, reads continue and show their age):',
    `  kill -9 ${pids[0]}`,
    `  kill -STOP ${tooMany}; sleep 30; curl -i ${url}/api/v1/load; kill -CONT ${tooMany}`,
  ];
}

/** Quotes a text so that a POSIX shell reads it as one word. */
function shellQuoted(text: string): string {
  return `'${text.replaceAll("'", `'\\''`)}'`;
}
