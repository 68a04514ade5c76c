import { createHash } from 'node:crypto';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { request } from 'undici';
import { loadConfig } from '#config';
import { allEvents } from '#contexts/catalogue';
import { coordinatorKeys, LogGate } from '#contexts/trust/gate';
import { chainStart, messageDigest } from '#jetstream';
import { type ApiClient, clusterKeys, eventually, openTestLog } from '#testing';
import type { History } from './history.js';
import { type ClusterUnderHarm, secretCanary } from './cluster-under-harm.js';

/** A commit of the log. */
export interface LoggedEvent {
  readonly id: string;
  readonly type: string;
  readonly requestId: string;
  /** Time, ISO 8601. */
  readonly at: string;
  readonly data: unknown;
}

export interface Logged {
  readonly sequence: number;
  readonly boundary: string;
  /** Whether it names the digest of the commit before it on its boundary. */
  readonly chained: boolean;
  readonly events: readonly LoggedEvent[];
  /** Digest of its bytes on its boundary. */
  readonly digest?: string;
}

/** A message of the log that is void, by the cluster's own check. */
export interface VoidMessage {
  readonly sequence: number;
  readonly boundary: string;
  readonly digest: string;
  readonly reason: string;
}

/** The final state of a job, as each coordinator shows it. */
export interface FinalJob {
  readonly id: string;
  readonly kind: JobKind;
  /** Answers by coordinator. */
  readonly told: readonly Readonly<Record<string, unknown>>[];
}

export const jobKinds = ['load', 'free', 'rebalance'] as const;
export type JobKind = (typeof jobKinds)[number];

/** The state of the system at rest, after all faults have ended. */
export interface Outcome {
  /** The valid commits of the log. */
  readonly log: readonly Logged[];
  readonly void: readonly VoidMessage[];
  /** Digests of messages that a stranger has made up, and of all messages that it has sent, with replays. */
  readonly forged: { readonly madeUp: ReadonlySet<string>; readonly sent: ReadonlySet<string> };
  readonly jobs: readonly FinalJob[];
  /** Answers of all coordinators by path. */
  readonly answers: Readonly<Record<string, readonly unknown[]>>;
  /** SHA-256 of each worker's copy, by UFS path. */
  readonly copies: ReadonlyMap<string, readonly string[]>;
  /** SHA-256 of each version of the objects that change, by UFS path. The present version is last. */
  readonly versions: ReadonlyMap<string, readonly string[]>;
  /** Number of reads from S3 of whole objects or of their first bytes, by UFS path. */
  readonly s3Reads: ReadonlyMap<string, number>;
  /** Names of files and requests that contain the secret. */
  readonly leaks: readonly string[];
  /** Directories and files outside the given directories. */
  readonly strays: readonly string[];
}

/** @param history the calls to search for the secret */
export async function collect(cluster: ClusterUnderHarm, history: History, loads: readonly string[]): Promise<Outcome> {
  const { log, voids } = await readLog(cluster);
  const ids = new Map<string, JobKind>();
  for (const { events } of log) {
    for (const { type, data } of events) {
      if (type !== 'JobSubmitted') continue;
      const { jobId, kind } = data as { jobId: string; kind: JobKind };
      ids.set(jobId, kind);
    }
  }
  const jobs = await Promise.all([...ids].map(([id, kind]) => settledJob(cluster, id, kind)));
  const answers: Record<string, unknown[]> = {};
  for (const path of ['/mount', '/ttl', '/priority', '/nodes']) {
    answers[path] = await Promise.all(cluster.coordinators.map(({ api }) => ask(api, path)));
  }
  const copies = new Map<string, string[]>();
  for (const path of loads) copies.set(path, await copiesOf(cluster, path));
  const { madeUp, sent } = cluster.stranger;
  return {
    log,
    void: voids,
    forged: { madeUp, sent },
    jobs,
    answers,
    copies,
    versions: cluster.large.versions(),
    s3Reads: cluster.s3Reads,
    leaks: leaks(cluster, history, log),
    strays: strays(cluster),
  };
}

const atRest: readonly unknown[] = ['SUCCEEDED', 'FAILED', 'STOPPED'];

/** Long enough for every timeout, retry and grace period. */
const settlingMs = 60_000;

async function settledJob({ coordinators }: ClusterUnderHarm, id: string, kind: JobKind): Promise<FinalJob> {
  const tell = () => Promise.all(coordinators.map(({ api }) => ask(api, `/${kind}?id=${id}`)));
  let told = (await tell()) as Record<string, unknown>[];
  await eventually(
    `the end of job ${id}`,
    async () => {
      told = (await tell()) as Record<string, unknown>[];
      return told.every(({ state }) => atRest.includes(state));
    },
    { timeoutMs: settlingMs, everyMs: 250 },
  ).catch(() => undefined);
  return { id, kind, told };
}

async function ask(api: ApiClient, path: string): Promise<unknown> {
  const { status, body } = await api.request('GET', path);
  return status === 200 ? body : { ...body, httpStatus: status };
}

async function readLog({ nats }: ClusterUnderHarm): Promise<{ log: Logged[]; voids: VoidMessage[] }> {
  const reader = await openTestLog(nats.url, {
    catalogue: allEvents,
    replicas: 3,
  });
  const ring = coordinatorKeys({ secretKeys: loadConfig(clusterKeys).secretKeys! });
  const gate = new LogGate({ codec: reader.codec, ring });
  try {
    const log: Logged[] = [];
    const voids: VoidMessage[] = [];
    const heads = new Map<string, string>();
    for await (const message of reader.store.readMessages('>')) {
      const { sequence, boundary, data } = message;
      const digest = messageDigest(boundary, data);
      const judged = gate.admit(message);
      if ('void' in judged) voids.push({ sequence, boundary, digest, reason: judged.void.reason });
      else {
        const { prev, events } = judged.commit;
        log.push({ sequence, boundary, chained: prev === (heads.get(boundary) ?? chainStart), events, digest });
      }
      heads.set(boundary, digest);
    }
    return { log, voids };
  } finally {
    await reader.close();
  }
}

async function copiesOf({ workers }: ClusterUnderHarm, ufsPath: string): Promise<string[]> {
  const copies = workers.map(async ({ inbound }) => {
    const url = `http://${inbound!.target}/v1/objects?cachedOnly=true&path=${encodeURIComponent(ufsPath)}`;
    const answer = await request(url);
    const bytes = Buffer.from(await answer.body.arrayBuffer());
    if (answer.statusCode === 200) return [createHash('sha256').update(bytes).digest('hex')];
    return answer.statusCode === 404 ? [] : [`status ${answer.statusCode}: ${bytes.toString()}`];
  });
  return (await Promise.all(copies)).flat();
}

function leaks(cluster: ClusterUnderHarm, history: History, log: readonly Logged[]): string[] {
  const inFiles = cluster.logFiles.filter((file) => readFileSync(file).includes(secretCanary));
  const inAnswers = history.calls.filter(({ answer }) => JSON.stringify(answer ?? '').includes(secretCanary));
  const inLog = log.filter((commit) => JSON.stringify(commit).includes(secretCanary));
  return [
    ...inFiles,
    ...inAnswers.map(({ id }) => `the answer to ${id}`),
    ...inLog.map(({ sequence }) => `commit ${sequence} of the log`),
  ];
}

/** Files that processes must not write, beside and within the directories that they were given. */
function strays({ directory, workers, nats }: ClusterUnderHarm): string[] {
  const known = new Set([
    ...['logs', 'sources', 'history.jsonl'],
    ...workers.map(({ process }) => process.name),
    ...nats.nodes.map(({ index }) => `nats-${index}`),
  ]);
  const beside = readdirSync(directory).filter((name) => !known.has(name));
  const sources = readdirSync(join(directory, 'sources'), { recursive: true, withFileTypes: true });
  const within = sources.filter((entry) => entry.isFile() && !entry.name.endsWith('.dat')).map(({ name }) => name);
  return [...beside, ...within];
}
