import { DomainError } from '#kernel';
import type { Mount } from './namespace.js';
import type { KeyRing } from './secrets.js';

/** A mount whose secret options this process cannot open, and by which key they are sealed. */
export interface ClosedMount {
  readonly path: string;
  readonly keyId: string;
  /** One sentence that holds no secret. */
  readonly sentence: string;
}

export interface MountKeysFound {
  readonly closed: readonly ClosedMount[];
  /** Whether there are sealed mounts, and not one of them opens: this process has another cluster's key ring. */
  readonly opensNone: boolean;
}

/**
 * Whether a key ring opens what the mounts are sealed with. Each option is really opened: a key of the same id may be
 * another one. Looked at anew only when the mount table is another than the last time.
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

  /** One for each key that is at fault, whatever number of options it sealed. */
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

/** Tells of each mount that cannot be opened once, and again when it could be in between. */
export function tellClosed(tell: (closed: ClosedMount) => void): (found: MountKeysFound) => void {
  let told: ReadonlySet<string> = new Set();
  return ({ closed }) => {
    const before = told;
    told = new Set(closed.map(({ sentence }) => sentence));
    for (const one of closed) if (!before.has(one.sentence)) tell(one);
  };
}
