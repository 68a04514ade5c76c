import { isDeepStrictEqual } from 'node:util';
import { withJson } from '#runtime';
import type { Commit } from '#kernel';
import { jobsChangedBy, type JobRecord, type JobsViewState } from '../index.js';
import { elapsedMs, type CoordinatorJobKind, type JobProgress, type LiveProgress } from '../kinds/index.js';

/** The only field of a progress that depends on the clock. */
const clock = 'timeElapsedMilliseconds';

interface Entry {
  readonly live: LiveProgress;
  readonly progress: JobProgress;
  /** The progress as JSON in UTF-8: all of it, or what stands before and behind the figure of the clock. */
  readonly json: Buffer | { readonly before: Buffer; readonly behind: Buffer };
}

/**
 * The progress of jobs, and its JSON, for as long as nothing in it changes. Clients ask for the same jobs again and
 * again, and most jobs in a list have ended. A job in the list then costs a look and a copy of its text.
 *
 * An entry holds while no commit concerns its job and what is known beside the log is the same. The time of a job that
 * has not ended is put in at each answer.
 */
export class ProgressCache {
  /** A record that leaves the view takes its entry along. */
  private readonly entries = new WeakMap<JobRecord, Entry>();

  /** To be called after the view has applied a commit. */
  follow(view: JobsViewState, commit: Commit): void {
    for (const jobId of jobsChangedBy(commit)) {
      const record = view.jobs.get(jobId);
      if (record) this.entries.delete(record);
    }
  }

  /** The same as `kind.progress(record, nowMs, live)`. It must not be changed. */
  progressOf(kind: CoordinatorJobKind, record: JobRecord, nowMs: number, live: LiveProgress): JobProgress {
    let entry = this.entries.get(record);
    if (!entry || !isSame(entry.live, live)) {
      entry = entryOf(kind.progress(record, nowMs, live), live, record.endedAt !== undefined);
      this.entries.set(record, entry);
    }
    const { progress, json } = entry;
    if (!('before' in json)) return progress;
    const elapsed = elapsedMs(record, nowMs);
    const text = Buffer.concat([json.before, Buffer.from(String(elapsed)), json.behind]);
    return withJson({ ...progress, [clock]: elapsed }, text);
  }
}

function entryOf(progress: JobProgress, live: LiveProgress, hasEnded: boolean): Entry {
  const names = Object.keys(progress);
  const at = names.indexOf(clock);
  if (hasEnded || at < 0) {
    const json = Buffer.from(JSON.stringify(progress));
    return { live, progress: withJson(progress, json), json };
  }
  const part = (some: string[]) => JSON.stringify(Object.fromEntries(some.map((name) => [name, progress[name]])));
  const [first, last] = [part(names.slice(0, at)).slice(1, -1), part(names.slice(at + 1)).slice(1)];
  const before = `{${first}${first === '' ? '' : ','}"${clock}":`;
  return {
    live,
    progress,
    json: { before: Buffer.from(before), behind: Buffer.from(last === '}' ? last : `,${last}`) },
  };
}

function isSame(a: LiveProgress, b: LiveProgress): boolean {
  if (a.files !== b.files || a.bytes !== b.bytes) return false;
  if (a.quota?.totalBytes !== b.quota?.totalBytes || a.quota?.remaining !== b.quota?.remaining) return false;
  return a.wait === b.wait || isDeepStrictEqual(a.wait, b.wait);
}
