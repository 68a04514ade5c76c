import { withRetries, type UfsListPage, type UfsObject } from '#ufs';
import type { SourcePage, SourcePorts } from '../kind.js';
import { TimeSlice } from '../time-slice.js';
import { fileFilter } from './file-filter.js';
import type { LoadSpec } from './spec.js';

/** Where a walk stands: which root, after which cursor of its listing, and whether that root has shown anything yet. */
type WalkCursor = [root: number, after: string | null, seen: boolean];

const pageSize = 1000;

/** Walks the roots one after the other through the UFS's own listing, a page at a time. */
export async function* walkSource(spec: LoadSpec, cursor: string, ports: SourcePorts): AsyncGenerator<SourcePage> {
  const matches = fileFilter(spec.options.fileFilterRegex);
  let [index, after, seen]: WalkCursor = cursor === '' ? [0, null, false] : (JSON.parse(cursor) as WalkCursor);
  for (; index < spec.roots.length; index++, after = null, seen = false) {
    const root = spec.roots[index];
    for (;;) {
      const page = await listPage(root, after, ports);
      const seenEntries = page.objects.length + page.rejected.length + page.specialCount;
      seen ||= seenEntries > 0;
      const files = await matching(page.objects, matches);
      const last = page.next === undefined;
      const next: WalkCursor = last ? [index + 1, null, false] : [index, page.next!, seen];
      yield {
        files,
        filteredFiles: page.objects.length - files.length,
        rejected: page.rejected.map(({ path, reason }) => ({ path, reason, attempts: 0 })),
        seenEntries,
        cursor: JSON.stringify(next),
        done: last && index + 1 === spec.roots.length,
        ...(last && !seen && !(await exists(root, ports)) ? { error: `nothing exists at ${root}` } : {}),
      };
      if (last) break;
      after = page.next!;
    }
  }
}

/** A thousand names can take seconds: linear time is not short time, and this is the thread that answers requests. */
async function matching(objects: readonly UfsObject[], matches: (path: string) => boolean): Promise<UfsObject[]> {
  const slice = new TimeSlice();
  const found: UfsObject[] = [];
  for (const object of objects) {
    if (matches(object.path)) found.push(object);
    if (slice.isOver) await slice.letOthersIn();
  }
  return found;
}

async function listPage(root: string, after: string | null, ports: SourcePorts): Promise<UfsListPage> {
  const { signal } = ports;
  const options = { limit: pageSize, signal, ...(after === null ? {} : { after }) };
  const list = () => ports.connectorFor(root).list(root, options);
  return (await withRetries(ports.retry, list, { signal })).value;
}

async function exists(root: string, ports: SourcePorts): Promise<boolean> {
  const { signal } = ports;
  const ask = () => ports.connectorFor(root).exists(root, signal);
  return (await withRetries(ports.retry, ask, { signal })).value;
}
