import type { Check } from './check.js';
import { wantedFiles } from './jobs.js';

/** After the last loads of everything that is kept: every file is cached, and every copy is the source's bytes. */
export const cacheEqualsSource: Check = ({ outcome, sources }) => {
  const problems: string[] = [];
  for (const target of sources.kept) {
    for (const { path } of wantedFiles(target)) {
      if ((outcome.copies.get(path) ?? []).length === 0) problems.push(`not cached: ${path}`);
    }
  }
  for (const { path, sha256 } of [...sources.kept, ...sources.freed].flatMap(({ files }) => files)) {
    for (const copy of outcome.copies.get(path) ?? []) {
      if (copy !== sha256) problems.push(`a copy of ${path} is ${copy} instead of ${sha256}`);
    }
  }
  return problems;
};

/** The secret of a mount's options is in no log line, no answer and no event. */
export const secretsStaySecret: Check = ({ outcome }) => outcome.leaks.map((where) => `a secret stands in ${where}`);

/** Processes write into the directories they were given. */
export const nothingOutside: Check = ({ outcome }) => outcome.strays.map((name) => `nobody asked for ${name}`);
