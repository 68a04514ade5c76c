import { misspeltName, nearestName } from '#kernel';
import { connectorOf, type ConnectorDeclaration } from './declarations/index.js';
import { printable } from './names.js';
import type { ConnectorOpening } from './opening.js';
import { openings } from './openings.js';
import { UfsError, type UfsConnector, type UfsLocation, type UfsTuning } from './types.js';

/**
 * Checks the location and the options of a new mount without any I/O, so not whether the UFS can be reached.
 * @returns the options that take effect, and the names of those that have no meaning here and should not be kept
 * @throws UfsError `Invalid`, its message naming the option at fault and, for an unknown one, the nearest known one
 */
export function validateLocation(location: UfsLocation): { options: Record<string, string>; ignored: string[] } {
  const { declaration, opening } = connectorFor(location.ufs);
  const ignored: string[] = [];
  const taken: [string, string][] = [];
  for (const [name, value] of Object.entries(location.options)) {
    const { kind } = declaration.options.use(name, location.ufs);
    if (kind === 'unknown') throw unknownOption(location, declaration, name);
    if (kind === 'idle') ignored.push(name);
    else taken.push([name, value]);
  }
  // Defines own properties, whatever their names.
  const options: Record<string, string> = Object.fromEntries(taken);
  opening.validate({ ufs: location.ufs, options });
  return { options, ignored };
}

/**
 * The connector for a mount. It connects on first use; the caller closes it. Unknown options are ignored: mounts that
 * older versions made have some.
 * @throws UfsError `Invalid` where a known option is malformed
 */
export function openUfs(location: UfsLocation, tuning: UfsTuning): UfsConnector {
  return connectorFor(location.ufs).opening.open(location, tuning);
}

/**
 * Checks once what a mount would show, from this process.
 * @returns a sentence about a fault that can be repaired, such as a missing directory; else undefined
 * @throws UfsError `Invalid` for a location that can never be mounted
 */
export async function probeUfs(
  location: UfsLocation,
  tuning: UfsTuning,
  signal: AbortSignal,
): Promise<string | undefined> {
  return await connectorFor(location.ufs).opening.probe(location, tuning, signal);
}

/** Both halves of the connector. @throws UfsError `Invalid` where there is none for the scheme */
function connectorFor(ufs: string): { declaration: ConnectorDeclaration; opening: ConnectorOpening } {
  const declaration = connectorOf(ufs);
  if (declaration) {
    return { declaration, opening: (openings as Readonly<Record<string, ConnectorOpening>>)[declaration.scheme] };
  }
  const known = Object.keys(openings).map((scheme) => `${scheme}://`);
  throw new UfsError('Invalid', ufs, `Only ${known.join(', ')} can be mounted, not ${printable(ufs)}.`);
}

const shownName = 200;

function unknownOption({ ufs }: UfsLocation, { scheme, options }: ConnectorDeclaration, name: string): UfsError {
  const known = options.names(ufs);
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
