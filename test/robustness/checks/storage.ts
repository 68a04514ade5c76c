import type { Check } from './check.js';
import type { FinalJob } from '../harness/collect.js';
import type { Fault } from '../harness/history.js';
import { wantedFiles } from './jobs.js';

/** After the last loads of all kept targets, every file is cached and every copy equals the source. */
export const cacheEqualsSource: Check = ({ outcome, sources }) => {
  const problems: string[] = [];
  for (const target of [...sources.kept, ...sources.wide]) {
    for (const { path } of wantedFiles(target)) {
      if ((outcome.copies.get(path) ?? []).length === 0) problems.push(`not cached: ${path}`);
    }
  }
  const unchanging = [...sources.kept, ...sources.wide, ...sources.freed];
  for (const { path, sha256 } of unchanging.flatMap(({ files }) => files)) {
    for (const copy of outcome.copies.get(path) ?? []) {
      if (copy !== sha256) problems.push(`a copy of ${path} is ${copy} instead of ${sha256}`);
    }
  }
  return problems;
};

/**
 * An object that was replaced while it was fetched, part by part, is cached as one of its versions, never as a mixture.
 * After the last load there is a copy of the present version.
 */
export const oneVersionEach: Check = ({ outcome }) =>
  [...outcome.versions].flatMap(([path, versions]) => {
    const copies = outcome.copies.get(path) ?? [];
    const strange = copies.filter((copy) => !versions.includes(copy));
    return [
      ...strange.map((copy) => `a copy of ${path} is ${copy}, which is none of its ${versions.length} versions`),
      ...(copies.includes(versions.at(-1)!) ? [] : [`the present version of ${path} is not cached`]),
    ];
  });

/** The secret of a mount's options is in no log line, no answer and no event. */
export const secretsStaySecret: Check = ({ outcome }) => outcome.leaks.map((where) => `${where} contains a secret`);

/** Processes write only into the directories that they were given. */
export const nothingOutside: Check = ({ outcome }) =>
  outcome.strays.map((name) => `written outside the given directories: ${name}`);

/** The default of `LARDER_MAX_ATTEMPTS`. */
const attempts = 5;
const copies = 2;
const sick = /^(s3-|link-s3)/;
/** Probes of a failing store. Each worker may send all of them for the same file. */
const probes = 8;
/** Faults after which one owner or worker may do its work in flight again. */
const reworking = /^(kill|roll|pause|link|split)-|^(blackout|disk-full)$/;

/**
 * The reads of a file are bounded: the attempts of each of its jobs for each copy, and one more for each fault that may
 * have interrupted work in flight.
 */
export const readsAreBounded: Check = ({ outcome, faults, sources }) => {
  const perFile = (target: string) =>
    outcome.jobs.filter((job) => isAbout(job, target)).length * attempts * copies +
    reworked(faults) * copies +
    probes * faults.filter(({ kind }) => sick.test(kind)).length;
  return [...sources.kept, ...sources.wide, ...sources.freed].flatMap(({ path, files }) => {
    const bound = perFile(path);
    return files
      .map((file) => ({ file: file.path, reads: outcome.s3Reads.get(file.path) ?? 0 }))
      .filter(({ reads }) => reads > bound)
      .map(({ file, reads }) => `${file} was read ${reads} times; at most ${bound} reads are explained`);
  });
};

const reworked = (faults: readonly Fault[]): number => faults.filter(({ kind }) => reworking.test(kind)).length;

function isAbout({ kind, told: [body] }: FinalJob, target: string): boolean {
  if (kind === 'rebalance') return true;
  return kind === 'load' && (body['paths'] as string[] | undefined)?.includes(target) === true;
}
