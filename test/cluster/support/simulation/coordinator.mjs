// The coordinator as it is built. With SCALE_LISTING=made-up its connector of `s3://` makes listings up without an endpoint, so
// that what is measured is the coordinator alone. The end of a path says how many files there are: `s3://files-1000000/`.
import './stats-file.mjs';
import { openings } from '../../../../dist/libs/ufs/openings.js';

const pageFiles = 1000;

class MadeUpFiles {
  readsParts = false;

  async list(path, { after, limit = pageFiles } = {}) {
    const files = Number(/-(\d+)\/?$/.exec(path)[1]);
    const from = after === undefined ? 0 : Number(after);
    const to = Math.min(from + limit, files);
    const root = path.endsWith('/') ? path : `${path}/`;
    const objects = [];
    for (let n = from; n < to; n++) {
      const directory = String(Math.floor(n / 10_000)).padStart(5, '0');
      objects.push({ path: `${root}${directory}/${String(n).padStart(9, '0')}`, sizeBytes: 1000, version: `"${n}"` });
    }
    // A page of a real store comes in a later turn of the event loop.
    await new Promise(setImmediate);
    return { objects, rejected: [], special: [], ...(to < files && { next: String(to) }) };
  }

  async exists() {
    return true;
  }

  async close() {}
}

if (process.env.SCALE_LISTING === 'made-up') {
  openings.s3 = { ...openings.s3, open: () => new MadeUpFiles(), probe: async () => undefined };
}
await import('../../../../dist/apps/coordinator/src/main.js');
