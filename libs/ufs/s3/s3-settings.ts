import { hasControlCharacter, hasDotSegment, printable } from '../names.js';
import { UfsError, type UfsLocation } from '../types.js';
import { checkProvider, s3Credentials, type S3Credentials } from './s3-credentials.js';
import { invalid, isGiven, readOption, type GivenOption } from './s3-given.js';
import { isBucketName, s3OptionTable, type S3OptionName } from './s3-options.js';
import { hostOf, parseHosts, type RedirectRules } from './redirects.js';
import { encodeValue } from './s3-path.js';
import { amazonHost, isRegionName } from './s3-region.js';

export type { S3Credentials } from './s3-credentials.js';

/** A location of scheme `s3`, checked and with the defaults filled in. */
export interface S3Settings {
  bucket: string;
  /** The beginning of every key of the mount: '' or ends with `/`. */
  keyPrefix: string;
  /** Scheme, host and port of requests, including the bucket's own host where it has one. */
  origin: string;
  /** The part before the key in a request's path. Ends with `/`, contains the bucket when the host does not. */
  basePath: string;
  region: string;
  /** The store lists keys in an order of its own, not by their UTF-8 bytes. */
  unorderedListing: boolean;
  redirects: RedirectRules;
  /** Absent: requests go unsigned. */
  credentials?: S3Credentials;
}

/**
 * Checks a new mount for more than `s3Settings` needs: options that contradict each other.
 * @throws UfsError `Invalid` naming the option
 */
export function checkS3Options(location: UfsLocation): void {
  for (const option of Object.keys(s3OptionTable) as S3OptionName[]) {
    const given = s3OptionTable[option].names.filter((name) => isGiven(location, name));
    if (new Set(given.map((name) => location.options[name])).size > 1) {
      throw invalid(location, given.join(' and '), 'mean the same and have different values');
    }
  }
  const endpoint = readOption(location, 'endpoint');
  const ssl = readFlag(location, 'ssl');
  if (endpoint !== undefined && ssl?.value !== undefined) {
    const { protocol } = parseEndpoint(location, endpoint, ssl.value);
    if (ssl.value !== (protocol === 'https:')) throw invalid(location, ssl.name, `contradicts ${endpoint.name}`);
  }
  checkProvider(location);
}

/**
 * Of an option's spellings, the first in `s3OptionTable` counts. The form for this bucket alone goes before them.
 * @param location `s3://bucket/` or `s3://bucket/some/prefix/`; an option that is '' counts as absent
 * @throws UfsError `Invalid` naming the option
 */
export function s3Settings(location: UfsLocation): S3Settings {
  const { bucket, keyPrefix } = splitLocation(location.ufs);
  const endpoint = readOption(location, 'endpoint');
  const ssl = readFlag(location, 'ssl')?.value ?? true;
  const server = endpoint === undefined ? undefined : parseEndpoint(location, endpoint, ssl);
  const region = readRegion(location) ?? (server && amazonHost(server.hostname)?.region) ?? 'us-east-1';
  const amazon = `s3.${region}.${region.startsWith('cn-') ? 'amazonaws.com.cn' : 'amazonaws.com'}`;
  const { protocol, host, pathname } = server ?? new URL(`${ssl ? 'https' : 'http'}://${amazon}`);
  const asked = readFlag(location, 'pathStyle');
  const canBeHost = /^[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]$/.test(bucket);
  const pathStyle = asked?.value ?? (endpoint !== undefined || bucket.includes('.') || !canBeHost);
  if (!pathStyle && !canBeHost) {
    const name = asked?.name ?? s3OptionTable.pathStyle.names[0];
    throw invalid(location, name, `must be "true": the bucket ${bucket} cannot be a host name`);
  }
  const root = pathname.endsWith('/') ? pathname : `${pathname}/`;
  return {
    bucket,
    keyPrefix,
    origin: `${protocol}//${pathStyle ? '' : `${bucket}.`}${host}`,
    basePath: pathStyle ? `${root}${encodeValue(bucket)}/` : root,
    region,
    // Names of Amazon's directory buckets (S3 Express One Zone) end in the zone and this.
    unorderedListing: readFlag(location, 'unorderedListing')?.value ?? bucket.endsWith('--x-s3'),
    redirects: { ownHosts: ownHosts(bucket, new URL(`${protocol}//${host}`)), hosts: readRedirectHosts(location) },
    credentials: s3Credentials(location),
  };
}

/** With and without the bucket before it. */
function ownHosts(bucket: string, endpoint: URL): string[] {
  const host = hostOf(endpoint);
  return [host, `${bucket.toLowerCase()}.${host}`];
}

function readRedirectHosts(location: UfsLocation): string[] {
  const given = readOption(location, 'redirectHosts');
  if (given === undefined) return [];
  const hosts = parseHosts(given.value);
  if (hosts !== undefined) return hosts;
  const form = 'host names without scheme and port, separated by commas, such as a.example.com,*.b.example.com';
  throw invalid(location, given.name, `must be ${form}`);
}

function readRegion(location: UfsLocation): string | undefined {
  const region = readOption(location, 'region');
  if (region === undefined || isRegionName(region.value)) return region?.value;
  throw invalid(location, region.name, 'is no region name');
}

function splitLocation(ufs: string): { bucket: string; keyPrefix: string } {
  const [, bucket, key = ''] = /^s3:\/\/([^/]*)(?:\/(.*))?$/s.exec(ufs) ?? [];
  if (bucket === undefined || !isBucketName(bucket)) {
    const expected = 's3://bucket/ with up to 255 letters, digits and . - _ : in the bucket name';
    throw new UfsError('Invalid', ufs, `The bucket name of ${printable(ufs)} is malformed: expected ${expected}.`);
  }
  if (hasControlCharacter(key) || hasDotSegment(key) || !key.isWellFormed()) {
    throw new UfsError('Invalid', ufs, `The path of ${printable(ufs)} holds a control character or a segment . or ...`);
  }
  return { bucket, keyPrefix: key === '' || key.endsWith('/') ? key : `${key}/` };
}

/** @param ssl whether a host without a scheme, as Hadoop's users write it, is reached over TLS */
function parseEndpoint(location: UfsLocation, { name, value }: GivenOption, ssl: boolean): URL {
  const bareAllowed = name.startsWith('fs.s3a.') || readOption(location, 'ssl') !== undefined;
  const isBare = bareAllowed && !value.includes('://');
  const text = isBare ? `${ssl ? 'https' : 'http'}://${value}` : value;
  const url = URL.canParse(text) ? new URL(text) : undefined;
  if (url === undefined || !['http:', 'https:'].includes(url.protocol)) {
    throw invalid(location, name, 'must be a URL such as https://host:port');
  }
  if (url.username !== '' || url.password !== '') throw invalid(location, name, 'must not hold credentials');
  if (url.search !== '' || url.hash !== '') throw invalid(location, name, 'must not hold a query or a fragment');
  return url;
}

type FlagName = 'ssl' | 'pathStyle' | 'unorderedListing';

function readFlag(location: UfsLocation, option: FlagName): { name: string; value: boolean } | undefined {
  const given = readOption(location, option);
  if (given === undefined) return undefined;
  const word = given.value.toLowerCase();
  if (word !== 'true' && word !== 'false') throw invalid(location, given.name, 'must be "true" or "false"');
  return { name: given.name, value: word === 'true' };
}
