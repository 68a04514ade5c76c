import { FileConnector } from './file/file-connector.js';
import { MountRoot } from './file/mount-root.js';
import { printable } from './names.js';
import { S3Connector } from './s3/s3-connector.js';
import { s3Settings } from './s3/s3-settings.js';
import { UfsError, type UfsConnector, type UfsLocation, type UfsTuning } from './types.js';

interface UfsScheme {
  /** Checks a location and its options without any I/O. @throws UfsError `Invalid` naming the option */
  validate: (location: UfsLocation) => void;
  open: (location: UfsLocation, tuning: UfsTuning) => UfsConnector;
}

/** All connectors there are: a new one is a folder beside this file and an entry here. */
const schemes = new Map<string, UfsScheme>([
  [
    'file',
    {
      validate: ({ ufs }) => void new MountRoot(ufs),
      open: ({ ufs }, tuning) => new FileConnector(ufs, tuning),
    },
  ],
  [
    's3',
    {
      validate: (location) => void s3Settings(location),
      open: (location, tuning) => new S3Connector(location, tuning),
    },
  ],
]);

/** `file`, `s3`: what stands before `://` in the locations that can be mounted. */
export const ufsSchemes: readonly string[] = [...schemes.keys()];

/**
 * Checks a location and its options without any I/O: whether the UFS can be reached is not asked.
 * @throws UfsError `Invalid`, its message naming the option at fault
 */
export function validateLocation(location: UfsLocation): void {
  schemeOf(location).validate(location);
}

/**
 * The connector for a mount. It connects on first use; the caller closes it.
 * @throws UfsError `Invalid` as `validateLocation` does
 */
export function openUfs(location: UfsLocation, tuning: UfsTuning): UfsConnector {
  return schemeOf(location).open(location, tuning);
}

function schemeOf({ ufs }: UfsLocation): UfsScheme {
  const name = /^([a-z0-9+.-]+):\/\//.exec(ufs)?.[1];
  const scheme = schemes.get(name ?? '');
  if (scheme !== undefined) return scheme;
  const known = ufsSchemes.map((known) => `${known}://`).join(', ');
  throw new UfsError('Invalid', ufs, `Only ${known} can be mounted, not ${printable(ufs)}.`);
}
