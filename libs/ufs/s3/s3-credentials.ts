import type { UfsLocation } from '../types.js';
import { invalid, readOption, type GivenOption } from './s3-given.js';
import { s3OptionTable, type S3OptionName } from './s3-options.js';

export interface S3Credentials {
  accessKeyId: string;
  secretAccessKey: string;
  sessionToken?: string;
}

/**
 * The keys that sign requests; undefined: requests go unsigned.
 * @throws UfsError `Invalid` naming the option
 */
export function s3Credentials(location: UfsLocation): S3Credentials | undefined {
  const way = signingWay(location);
  if (way === 'anonymous') return undefined;
  const id = readOption(location, 'accessKeyId');
  const secret = readOption(location, 'secretAccessKey');
  const token = readOption(location, 'sessionToken');
  if (id !== undefined && secret !== undefined) {
    assertHeaderValue(location, id);
    if (token !== undefined) assertHeaderValue(location, token);
    const sessionToken = way === 'simple' ? undefined : token?.value;
    return { accessKeyId: id.value, secretAccessKey: secret.value, sessionToken };
  }
  const given = id ?? secret ?? token;
  if (given === undefined) return undefined;
  const missing = id === undefined ? siblingOf(given, 'accessKeyId') : siblingOf(given, 'secretAccessKey');
  throw invalid(location, missing, `is missing though ${given.name} is given`);
}

/**
 * Hadoop's list of credential providers, tried in order. Providers that get keys from the machine or another service do
 * not exist here. @throws UfsError `Invalid` where no provider in the list can work with the given options
 */
export function checkProvider(location: UfsLocation): void {
  const given = readOption(location, 'credentialsProvider');
  if (given === undefined || signingWay(location) !== undefined) return;
  const sentence =
    'names no provider that works here with the options given: SimpleAWSCredentialsProvider needs an access key and ' +
    'its secret, TemporaryAWSCredentialsProvider a session token as well, AnonymousAWSCredentialsProvider nothing';
  throw invalid(location, given.name, sentence);
}

type SigningWay = 'temporary' | 'simple' | 'anonymous';

/** By Hadoop's list; undefined without one, and where none of its providers can be used. */
function signingWay(location: UfsLocation): SigningWay | undefined {
  const has = (option: S3OptionName) => readOption(location, option) !== undefined;
  const hasKeys = has('accessKeyId') && has('secretAccessKey');
  for (const name of readOption(location, 'credentialsProvider')?.value.split(',') ?? []) {
    const provider = name.trim().split('.').at(-1);
    if (provider === 'AnonymousAWSCredentialsProvider') return 'anonymous';
    if (provider === 'SimpleAWSCredentialsProvider' && hasKeys) return 'simple';
    if (provider === 'TemporaryAWSCredentialsProvider' && hasKeys && has('sessionToken')) return 'temporary';
  }
  return undefined;
}

/** The missing option in the spelling of the one that was given. */
function siblingOf({ name }: GivenOption, missing: 'accessKeyId' | 'secretAccessKey'): string {
  const families = [s3OptionTable.accessKeyId, s3OptionTable.secretAccessKey, s3OptionTable.sessionToken];
  const at = Math.max(...families.map(({ names }) => (names as readonly string[]).indexOf(name)));
  return s3OptionTable[missing].names[Math.max(at, 0)];
}

/** For values in a request header: another character would fail every request, or even begin a new header. */
function assertHeaderValue(location: UfsLocation, { name, value }: GivenOption): void {
  if (!/^[\x21-\x7e]*$/.test(value)) throw invalid(location, name, 'holds a character that no key has');
}
