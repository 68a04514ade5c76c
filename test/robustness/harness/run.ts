import { randomUUID } from 'node:crypto';
import { appendFileSync, mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { performance } from 'node:perf_hooks';
import { eventually, Random } from '#testing';
import { checks } from '../checks/index.js';
import { wantedFiles } from '../checks/jobs.js';
import { collect, type Outcome } from './collect.js';
import type { FaultName } from './faults.js';
import { History } from './history.js';
import { unleash } from './nemesis.js';
import { BulkTraffic } from './bulk-traffic.js';
import { loadOptionsOf, Traffic } from './traffic.js';
import { ClusterUnderHarm } from './cluster-under-harm.js';

export interface RunOptions {
  readonly seed: number;
  readonly durationMs: number;
  readonly kinds: readonly FaultName[];
  readonly clients?: number;
  /** Maximum of concurrent faults. */
  readonly atOnce?: number;
  readonly pauseMs?: number;
  /** Created for the run. It is kept if the run has findings. */
  readonly directory: string;
}

export interface RunReport {
  readonly seed: number;
  readonly seconds: number;
  readonly calls: number;
  readonly lostCalls: number;
  readonly jobs: number;
  readonly commits: number;
  /** Number of void messages in the log. */
  readonly void: number;
  /** How often a large object was replaced. */
  readonly replaced: number;
  readonly faults: Readonly<Record<string, number>>;
  /** Violations by the name of the check. */
  readonly problems: Readonly<Record<string, readonly string[]>>;
}

/** Starts, injects faults, drives traffic, collects and checks. */
export async function run(options: RunOptions): Promise<RunReport> {
  const { seed, durationMs, kinds, clients = 6, atOnce = 2, pauseMs = 2_000, directory } = options;
  const startedMs = performance.now();
  rmSync(directory, { recursive: true, force: true });
  mkdirSync(directory, { recursive: true });
  const history = new History(join(directory, 'history.jsonl'));
  const random = new Random(seed);
  const cluster = await ClusterUnderHarm.start(directory, history, random).catch((error: unknown) => {
    history.close();
    throw error;
  });
  let keep = true;
  try {
    await mountSources(cluster);
    const trafficOptions = {
      baseUrls: cluster.coordinators.map(({ api }) => api.baseUrl),
      sources: cluster.sources,
      history,
      clients,
      seed,
      run: randomUUID().slice(0, 8),
    };
    const traffic = [new Traffic(trafficOptions), new BulkTraffic(trafficOptions)];
    await unleash(cluster, history, random, { kinds, durationMs, atOnce, pauseMs });
    await Promise.all(traffic.map((one) => one.stop()));
    const stuck = await comeToRest(cluster);
    const outcome = await collect(cluster, history, filesOf(cluster));
    const evidence = { ...history, outcome, sources: cluster.sources };
    const found = Object.entries(checks).map(([name, check]) => [name, check(evidence)] as const);
    const problems = Object.fromEntries(
      [...found, ['comesToRest', stuck] as const].filter(([, all]) => all.length > 0),
    );
    keep = Object.keys(problems).length > 0;
    if (keep) writeFileSync(join(directory, 'problems.json'), JSON.stringify({ seed, problems }, null, 2));
    return report(options, history, outcome, problems, startedMs);
  } catch (error) {
    appendFileSync(join(directory, 'problems.json'), String((error as Error).stack));
    throw error;
  } finally {
    history.close();
    await cluster.dispose();
    if (!keep) rmSync(directory, { recursive: true, force: true, maxRetries: 3 });
  }
}

async function mountSources(cluster: ClusterUnderHarm): Promise<void> {
  const [{ api }] = cluster.coordinators;
  for (const { path, ufs } of cluster.sources.mounts) {
    await api.mount(path, ufs, ufs.startsWith('s3:') ? cluster.s3Options : undefined);
  }
}

const filesOf = ({ sources }: ClusterUnderHarm): string[] =>
  [...sources.kept, ...sources.freed, ...sources.large, ...sources.wide].flatMap((target) =>
    (target.path.startsWith('/wide/') ? wantedFiles(target) : target.files).map(({ path }) => path),
  );

/**
 * Checks that the system recovers within a minute after healing and that a load of every kept target succeeds, also of
 * those that were stopped or had failed. @returns the violations
 */
async function comeToRest(cluster: ClusterUnderHarm): Promise<string[]> {
  const problems: string[] = [];
  const api = cluster.coordinators[0].api;
  try {
    await cluster.untilWell();
    const { kept, wide, large } = cluster.sources;
    for (const { path } of [...kept, ...wide, ...large]) {
      const done = await eventually(
        `a load of ${path} that succeeds`,
        async () => {
          const answer = await api.postLoad({ paths: [path], options: loadOptionsOf(path) });
          if (answer.body.id === undefined) return undefined;
          const job = await api.waitForJob(answer.body.id);
          // A job that already runs may have met faults. Only a job submitted after them counts.
          if (answer.status === 200 && job.state === 'FAILED') problems.push(`${path}: ${JSON.stringify(job)}`);
          return answer.status === 200 && job.state;
        },
        { timeoutMs: 60_000, everyMs: 200 },
      );
      if (done !== 'SUCCEEDED') problems.push(`the last load of ${path} is ${done}`);
    }
  } catch (error) {
    problems.push((error as Error).message);
  }
  return problems;
}

function report(
  { seed }: RunOptions,
  { calls, faults }: History,
  { jobs, log, void: voids, versions }: Outcome,
  problems: RunReport['problems'],
  startedMs: number,
): RunReport {
  const byKind: Record<string, number> = {};
  for (const { kind, victims } of faults) if (victims.length > 0) byKind[kind] = (byKind[kind] ?? 0) + 1;
  return {
    seed,
    seconds: Math.round((performance.now() - startedMs) / 1000),
    calls: calls.length,
    lostCalls: calls.filter(({ answer }) => answer === undefined).length,
    jobs: jobs.length,
    commits: log.length,
    void: voids.length,
    replaced: [...versions.values()].reduce((sum, all) => sum + all.length - 1, 0),
    faults: byKind,
    problems,
  };
}
