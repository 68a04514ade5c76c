import { storeOfMount, type Mount } from '#contexts/namespace';
import { numberedKey, splitKey } from './store-keys.js';

/** Directories remembered at once: a few MB. */
const maxRemembered = 16_384;

/** A directory where a mount shows one store. */
export interface CoveredRoot {
  /** UFS root, ends with `/`. */
  ufs: string;
  store: string;
  /** The store's number among those met under the bucket's name. */
  number: number;
}

/** Which copies the mounts of one moment cover: those at a mounted path that are of the store mounted there. */
export class Coverage {
  /** In byte order. */
  readonly roots: readonly CoveredRoot[];
  private readonly byRoot: ReadonlyMap<string, CoveredRoot>;
  private readonly byDirectory = new Map<string, CoveredRoot | undefined>();

  /** @param numberOf the number of a store under a UFS path */
  constructor(mounts: readonly Mount[], numberOf: (ufs: string, store: string) => number) {
    this.roots = mounts
      .map((mount) => ({ mount, store: storeOfMount(mount) }))
      .map(({ mount: { ufs }, store }) => ({ ufs, store, number: numberOf(ufs, store) }))
      .sort((a, b) => Buffer.compare(Buffer.from(a.ufs), Buffer.from(b.ufs)));
    this.byRoot = new Map(this.roots.map((root) => [root.ufs, root]));
  }

  /** The mounted directory that contains, or is, a UFS path. */
  rootOf(path: string): CoveredRoot | undefined {
    const itself = this.byRoot.get(`${path}/`);
    if (itself) return itself;
    const directory = path.slice(0, path.lastIndexOf('/') + 1);
    if (this.byDirectory.has(directory)) return this.byDirectory.get(directory);
    if (this.byDirectory.size >= maxRemembered) this.byDirectory.clear();
    const root = this.roots.find(({ ufs }) => directory.startsWith(ufs));
    this.byDirectory.set(directory, root);
    return root;
  }

  /** The key of the copy that may be served at a path; undefined where no mount is. */
  keyOf(path: string): string | undefined {
    const root = this.rootOf(path);
    return root && numberedKey(path, root.number);
  }

  /** The path of a copy that may be served; undefined for any other. */
  pathOf(key: string): string | undefined {
    const { path, number } = splitKey(key);
    return this.rootOf(path)?.number === number ? path : undefined;
  }
}
