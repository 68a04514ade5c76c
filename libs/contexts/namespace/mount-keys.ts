import { DomainError } from '#kernel';
import type { Mount } from './namespace.js';
import type { KeyRing } from './secrets.js';

/** A mount whose secret options this process cannot open, and the key that sealed them. */
export interface ClosedMount {
  readonly path: string;
  readonly keyId: string;
  /** One sentence without secrets. */
  readonly sentence: string;
}

export interface MountKeysFound {
  readonly closed: readonly ClosedMount[];
  /** Whether there are sealed mounts and none can be opened: then this process has the key ring of another cluster. */
  readonly opensNone: boolean;
}

/**
 * Checks whether a key ring opens the sealed options of the mounts. It really opens each option, because another key
 * may have the same id. It checks again only when the mount table has changed.
 */
export class MountKeys {
  private looked: readonly Mount[] | undefined;
  private found: MountKeysFound = { closed: [], opensNone: false };

  constructor(private readonly keyRing: Pick<KeyRing, 'open'>) {}

  look(mounts: readonly Mount[]): MountKeysFound {
    if (mounts !== this.looked) {
      this.looked = mounts;
      const sealed = mounts.filter(({ options }) => Object.values(options).some((option) => !('plain' in option)));
      const closed = sealed.flatMap((mount) => this.closedBy(mount));
      const paths = new Set(closed.map(({ path }) => path));
      this.found = { closed, opensNone: sealed.length > 0 && paths.size === sealed.length };
    }
    return this.found;
  }

  /** One entry for each key that fails, however many options it sealed. */
  private closedBy({ path, options }: Mount): ClosedMount[] {
    const closed = new Map<string, ClosedMount>();
    for (const [name, option] of Object.entries(options)) {
      if ('plain' in option) continue;
      const { keyId } = option;
      const why = this.whyClosed(name, option);
      if (why) closed.set(keyId, { path, keyId, sentence: `the options of mount ${path} are sealed with ${why}` });
    }
    return [...closed.values()];
  }

  private whyClosed(name: string, option: Mount['options'][string] & { keyId: string }): string | undefined {
    try {
      this.keyRing.open(name, option);
      return undefined;
    } catch (error) {
      const missing = error instanceof DomainError && error.code === 'secret-key-missing';
      return missing
        ? `the key '${option.keyId}', which LARDER_SECRET_KEYS does not hold`
        : `another key than the '${option.keyId}' that LARDER_SECRET_KEYS holds, or were changed since`;
    }
  }
}

/** Reports each mount that cannot be opened once, and again if it could be opened in between. */
export function tellClosed(tell: (closed: ClosedMount) => void): (found: MountKeysFound) => void {
  let told: ReadonlySet<string> = new Set();
  return ({ closed }) => {
    const before = told;
    told = new Set(closed.map(({ sentence }) => sentence));
    for (const one of closed) if (!before.has(one.sentence)) tell(one);
  };
}
