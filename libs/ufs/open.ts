import { misspeltName, nearestName } from '#kernel';
import { FileConnector } from './file/file-connector.js';
import { MountRoot, probeFileRoot } from './file/mount-root.js';
import { printable } from './names.js';
import { declaredOptions, schemeOf, type UfsSchemeName } from './options/index.js';
import { probeBucket } from './s3/probe-bucket.js';
import { S3Connector } from './s3/s3-connector.js';
import { checkS3Options, s3Settings } from './s3/s3-settings.js';
import { UfsError, type UfsConnector, type UfsLocation, type UfsTuning } from './types.js';

interface UfsScheme {
  /** Checks a location and its options without any I/O. @throws UfsError `Invalid` naming the option */
  validate: (location: UfsLocation) => void;
  open: (location: UfsLocation, tuning: UfsTuning) => UfsConnector;
  /** As `probeUfs`. */
  probe: (location: UfsLocation, tuning: UfsTuning, signal: AbortSignal) => Promise<string | undefined>;
}

/**
 * All connectors there are: a new one is a folder beside this file, an entry here, and one in `options/` for the names of
 * its options, which also those ask for who must not open anything.
 */
const schemes: Readonly<Record<UfsSchemeName, UfsScheme>> = {
  file: {
    validate: ({ ufs }) => void new MountRoot(ufs),
    open: ({ ufs }, tuning) => new FileConnector(ufs, tuning),
    probe: ({ ufs }) => probeFileRoot(ufs),
  },
  s3: {
    validate: (location) => {
      checkS3Options(location);
      s3Settings(location);
    },
    open: (location, tuning) => new S3Connector(location, tuning),
    probe: probeBucket,
  },
};

/** `file`, `s3`: what stands before `://` in the locations that can be mounted. */
export const ufsSchemes: readonly string[] = Object.keys(schemes);

/**
 * Checks the location and the options of a new mount without any I/O: whether the UFS can be reached is not asked.
 * @returns the options that take effect, and the names of those that have no meaning here and should not be kept
 * @throws UfsError `Invalid`, its message naming the option at fault and, for an unknown one, the nearest known one
 */
export function validateLocation(location: UfsLocation): { options: Record<string, string>; ignored: string[] } {
  const scheme = knownScheme(location.ufs);
  const ignored: string[] = [];
  const taken: [string, string][] = [];
  for (const [name, value] of Object.entries(location.options)) {
    const { kind } = declaredOptions[scheme].use(name, location.ufs);
    if (kind === 'unknown') throw unknownOption(location, scheme, name);
    if (kind === 'idle') ignored.push(name);
    else taken.push([name, value]);
  }
  // Defines own properties, whatever their names.
  const options: Record<string, string> = Object.fromEntries(taken);
  schemes[scheme].validate({ ufs: location.ufs, options });
  return { options, ignored };
}

/**
 * The connector for a mount. It connects on first use; the caller closes it. Options that are not known are passed over:
 * mounts that older versions took hold some.
 * @throws UfsError `Invalid` where a known option is malformed
 */
export function openUfs(location: UfsLocation, tuning: UfsTuning): UfsConnector {
  return schemes[knownScheme(location.ufs)].open(location, tuning);
}

/**
 * One look at what a mount would show, from where this process stands.
 * @returns a sentence about what is amiss and may be mended, such as a directory that is not there; else undefined
 * @throws UfsError `Invalid` for what can never be mounted
 */
export async function probeUfs(
  location: UfsLocation,
  tuning: UfsTuning,
  signal: AbortSignal,
): Promise<string | undefined> {
  return await schemes[knownScheme(location.ufs)].probe(location, tuning, signal);
}

function knownScheme(ufs: string): UfsSchemeName {
  const scheme = schemeOf(ufs);
  if (scheme !== undefined) return scheme;
  const known = ufsSchemes.map((known) => `${known}://`).join(', ');
  throw new UfsError('Invalid', ufs, `Only ${known} can be mounted, not ${printable(ufs)}.`);
}

const shownName = 200;

function unknownOption({ ufs }: UfsLocation, scheme: UfsSchemeName, name: string): UfsError {
  const known = declaredOptions[scheme].names(ufs);
  const like = misspeltName(name, known);
  const nearest = nearestName(name, known)?.name;
  const advice =
    like !== undefined
      ? `did you mean ${like}?`
      : nearest !== undefined
        ? `the nearest known one is ${nearest}.`
        : `${scheme}:// has no options.`;
  return new UfsError('Invalid', ufs, `The option ${printable(name.slice(0, shownName))} is not known: ${advice}`);
}
