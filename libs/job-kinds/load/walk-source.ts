import { addSpecialFiles, mainPass, type FileFailure, type Pass, type SpecialFiles } from '#contexts/jobs';
import type { SourcePage, SourcePorts } from '#contexts/jobs/kinds';
import { RetriesExhausted, withRetries, type SpecialKind, type UfsListPage, type UfsObject } from '#ufs';
import { TimeSlice } from '../sources/index.js';
import { fileFilter } from './file-filter.js';
import type { LoadSpec } from './spec.js';

/**
 * Where a walk stands: at which root, after which cursor of its listing, and whether that root has listed anything yet.
 * After the last root come the covered paths: `roots.length + n` is the n-th of them.
 */
type WalkCursor = [at: number, after: string | null, seen: boolean];

const pageSize = 1000;
/** Covered paths that are checked at once, and reported in one page. */
const looksPerPage = 32;

/**
 * Walks the roots one after the other through the UFS's own listing, a page at a time. Then checks that the covered
 * paths exist. Each requested path that does not exist is a rejected name and a fault of the source.
 */
export async function* walkSource(
  spec: LoadSpec,
  pass: Pass,
  cursor: string,
  ports: SourcePorts,
): AsyncGenerator<SourcePage> {
  // Paths that are missing from the start are reported once.
  const covered = pass === mainPass ? spec.covered : [];
  const end = spec.roots.length + covered.length;
  const [at, after, seen]: WalkCursor = cursor === '' ? [0, null, false] : (JSON.parse(cursor) as WalkCursor);
  for (let index = at; index < spec.roots.length; index++) {
    const from: WalkCursor = index === at ? [index, after, seen] : [index, null, false];
    for await (const { next, ...page } of walkRoot(spec, pass, from, ports)) {
      yield { ...page, cursor: JSON.stringify(next), done: next[0] === end };
    }
  }
  for (let index = Math.max(at, spec.roots.length); index < end; index += looksPerPage) {
    const first = index - spec.roots.length;
    const rejected = await missingOf(covered.slice(first, first + looksPerPage), ports);
    const next: WalkCursor = [Math.min(index + looksPerPage, end), null, false];
    const cursor = JSON.stringify(next);
    const page = { files: [], filteredFiles: 0, seenEntries: 0, rejected, cursor, done: next[0] === end };
    yield rejected.length > 0 ? { ...page, error: rejected[0].reason } : page;
  }
}

type RootPage = Omit<SourcePage, 'cursor' | 'done'> & { next: WalkCursor };

async function* walkRoot(
  spec: LoadSpec,
  pass: Pass,
  [index, from, seenBefore]: WalkCursor,
  ports: SourcePorts,
): AsyncGenerator<RootPage> {
  const matches = fileFilter(spec.options.fileFilterRegex);
  const root = spec.roots[index];
  let seen = seenBefore;
  for (let after = from; ;) {
    const page = await listPage(root, after, ports);
    const files = await matching(page.objects, matches);
    const seenEntries = countOf(page);
    seen ||= seenEntries > 0;
    const isLast = page.next === undefined;
    const isMissing = isLast && !seen && !(await exists(root, ports));
    const missing = isMissing ? notThere(root, page.gone) : undefined;
    yield {
      files,
      filteredFiles: page.objects.length - files.length,
      rejected: [
        ...page.rejected.map(({ path, reason }) => ({ path, reason, attempts: 0 })),
        // A later pass only finds what went missing meanwhile: that is no file of its own.
        ...(missing && pass === mainPass ? [missing] : []),
      ],
      seenEntries,
      ...(page.special.length > 0 ? { specialFiles: byKind(page.special) } : {}),
      ...(missing ? { error: missing.reason } : {}),
      next: isLast ? [index + 1, null, false] : [index, page.next!, seen],
    };
    if (isLast) return;
    after = page.next!;
  }
}

const kindNames: Readonly<Record<SpecialKind, string>> = {
  directoryLink: 'directoryLinks',
  fifo: 'fifos',
  socket: 'sockets',
  device: 'devices',
  other: 'other',
};

function byKind(special: UfsListPage['special']): SpecialFiles {
  const sum: SpecialFiles = {};
  for (const { kind, path } of special) addSpecialFiles(sum, { [kindNames[kind]]: { count: 1, examples: [path] } });
  return sum;
}

/** @param because in the words of the store */
function notThere(path: string, because?: string): FileFailure {
  const reason = `nothing exists at ${path}${because === undefined ? '' : `: ${because}`}`;
  return { path, reason: cut(reason), attempts: 0 };
}

/** Shortened, as an event holds many reasons. */
function cut(reason: string): string {
  return reason.slice(0, 300);
}

function countOf({ objects, rejected, special }: UfsListPage): number {
  return objects.length + rejected.length + special.length;
}

/** The missing ones of the paths. A path that cannot be checked fails alone, with that reason. */
async function missingOf(paths: readonly string[], ports: SourcePorts): Promise<FileFailure[]> {
  const looks = paths.map(async (path) => {
    // One signal each: this many listeners on one signal look like a leak.
    const own = { ...ports, signal: AbortSignal.any([ports.signal]) };
    try {
      // A name that cannot be loaded is no object. The walk of the covering root has met and reported it.
      if ((await exists(path, own)) || countOf(await listPage(path, null, own, 1)) > 0) return [];
      return [notThere(path)];
    } catch (error) {
      ports.signal.throwIfAborted();
      if (!(error instanceof RetriesExhausted)) throw error;
      return [{ path, reason: cut(error.message), attempts: error.attempts }];
    }
  });
  return (await Promise.all(looks)).flat();
}

/** A thousand names can take seconds, even in linear time, and this is the thread that answers requests. */
async function matching(objects: readonly UfsObject[], matches: (path: string) => boolean): Promise<UfsObject[]> {
  const slice = new TimeSlice();
  const found: UfsObject[] = [];
  for (const object of objects) {
    if (matches(object.path)) found.push(object);
    if (slice.isOver) await slice.letOthersIn();
  }
  return found;
}

/** A mount whose directory or bucket does not exist lists nothing, and gives the reason in `gone`. */
async function listPage(
  root: string,
  after: string | null,
  ports: SourcePorts,
  limit = pageSize,
): Promise<UfsListPage & { gone?: string }> {
  const { signal } = ports;
  const options = { limit, signal, ...(after === null ? {} : { after }) };
  const list = () => ports.connectorFor(root).list(root, options);
  try {
    return (await withRetries(ports.retry, list, { signal })).value;
  } catch (error) {
    const isGone = error instanceof RetriesExhausted && error.cause.code === 'NotFound' && after === null;
    if (isGone) return { objects: [], rejected: [], special: [], gone: error.message };
    throw error;
  }
}

async function exists(root: string, ports: SourcePorts): Promise<boolean> {
  const { signal } = ports;
  const ask = () => ports.connectorFor(root).exists(root, signal);
  return (await withRetries(ports.retry, ask, { signal })).value;
}
