import { hasControlCharacter, hasDotSegment, printable } from '../names.js';
import { UfsError, type UfsLocation } from '../types.js';

export interface S3Credentials {
  accessKeyId: string;
  secretAccessKey: string;
  sessionToken?: string;
}

/** A location of scheme `s3`, checked and with the defaults filled in. */
export interface S3Settings {
  bucket: string;
  /** What every key of the mount begins with: '' or ends with `/`. */
  keyPrefix: string;
  /** Scheme, host and port that requests go to, the bucket's own host included where it has one. */
  origin: string;
  /** What stands before the key in a request's path: ends with `/`, holds the bucket when it is not in the host. */
  basePath: string;
  region: string;
  /** Absent: requests go unsigned. */
  credentials?: S3Credentials;
}

/** Every option has the reference's name and, where it differs, a plain word. README.md explains them. */
const optionNames = {
  accessKeyId: ['s3a.accessKeyId', 'accessKeyId'],
  secretAccessKey: ['s3a.secretKey', 'secretAccessKey'],
  sessionToken: ['sessionToken'],
  endpoint: ['alluxio.underfs.s3.endpoint', 'endpoint'],
  region: ['alluxio.underfs.s3.region', 'region'],
  pathStyle: ['alluxio.underfs.s3.disable.dns.buckets', 'pathStyle'],
} as const;

/**
 * @param location `s3://bucket/` or `s3://bucket/some/prefix/`; an option that is '' counts as absent
 * @throws UfsError `Invalid` naming the option
 */
export function s3Settings(location: UfsLocation): S3Settings {
  const option = (name: keyof typeof optionNames): string | undefined => readOption(location, optionNames[name]);
  const { bucket, keyPrefix } = splitLocation(location.ufs);
  const endpoint = option('endpoint');
  const region = option('region') ?? 'us-east-1';
  if (!/^[A-Za-z0-9-]{1,64}$/.test(region)) throw invalid(location, optionNames.region[0], 'is no region name');
  const domain = region.startsWith('cn-') ? 'amazonaws.com.cn' : 'amazonaws.com';
  const server = parseEndpoint(location, endpoint ?? `https://s3.${region}.${domain}`);
  const pathStyle = parsePathStyle(location, option('pathStyle')) ?? (endpoint !== undefined || bucket.includes('.'));
  if (!pathStyle && !/^[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]$/.test(bucket)) {
    throw invalid(location, optionNames.pathStyle[0], `must be "true": the bucket ${bucket} cannot be a host name`);
  }
  const root = server.pathname.endsWith('/') ? server.pathname : `${server.pathname}/`;
  return {
    bucket,
    keyPrefix,
    origin: `${server.protocol}//${pathStyle ? '' : `${bucket}.`}${server.host}`,
    basePath: pathStyle ? `${root}${bucket}/` : root,
    region,
    credentials: parseCredentials(location, option),
  };
}

function readOption(location: UfsLocation, names: readonly string[]): string | undefined {
  const given = names.filter((name) => Object.hasOwn(location.options, name) && location.options[name] !== '');
  const values = new Set(given.map((name) => location.options[name]));
  if (values.size > 1) throw invalid(location, given.join(' and '), 'mean the same and have different values');
  return values.values().next().value;
}

function splitLocation(ufs: string): { bucket: string; keyPrefix: string } {
  const [, bucket, key = ''] = /^s3:\/\/([^/]*)(?:\/(.*))?$/s.exec(ufs) ?? [];
  if (bucket === undefined || !/^[A-Za-z0-9](?:[A-Za-z0-9._-]{0,253}[A-Za-z0-9])?$/.test(bucket)) {
    throw new UfsError('Invalid', ufs, `The bucket name of ${printable(ufs)} is malformed: expected s3://bucket/.`);
  }
  if (hasControlCharacter(key) || hasDotSegment(key) || !key.isWellFormed()) {
    throw new UfsError('Invalid', ufs, `The path of ${printable(ufs)} holds a control character or a segment . or ...`);
  }
  return { bucket, keyPrefix: key === '' || key.endsWith('/') ? key : `${key}/` };
}

function parseEndpoint(location: UfsLocation, endpoint: string): URL {
  const name = optionNames.endpoint[0];
  const url = URL.canParse(endpoint) ? new URL(endpoint) : undefined;
  if (url === undefined || !['http:', 'https:'].includes(url.protocol)) {
    throw invalid(location, name, 'must be a URL such as https://host:port');
  }
  if (url.username !== '' || url.password !== '') throw invalid(location, name, 'must not hold credentials');
  if (url.search !== '' || url.hash !== '') throw invalid(location, name, 'must not hold a query or a fragment');
  return url;
}

function parsePathStyle(location: UfsLocation, value: string | undefined): boolean | undefined {
  if (value === undefined) return undefined;
  const word = value.toLowerCase();
  if (word !== 'true' && word !== 'false') {
    throw invalid(location, optionNames.pathStyle[0], 'must be "true" or "false"');
  }
  return word === 'true';
}

function parseCredentials(
  location: UfsLocation,
  option: (name: 'accessKeyId' | 'secretAccessKey' | 'sessionToken') => string | undefined,
): S3Credentials | undefined {
  const accessKeyId = option('accessKeyId');
  const secretAccessKey = option('secretAccessKey');
  const sessionToken = option('sessionToken');
  if (accessKeyId !== undefined && secretAccessKey !== undefined) {
    assertHeaderValue(location, optionNames.accessKeyId[0], accessKeyId);
    assertHeaderValue(location, optionNames.sessionToken[0], sessionToken ?? '');
    return { accessKeyId, secretAccessKey, sessionToken };
  }
  const [given, missing] =
    accessKeyId !== undefined
      ? ([optionNames.accessKeyId[0], optionNames.secretAccessKey[0]] as const)
      : secretAccessKey !== undefined
        ? ([optionNames.secretAccessKey[0], optionNames.accessKeyId[0]] as const)
        : ([optionNames.sessionToken[0], optionNames.accessKeyId[0]] as const);
  if (accessKeyId === undefined && secretAccessKey === undefined && sessionToken === undefined) return undefined;
  throw invalid(location, missing, `is missing though ${given} is given`);
}

/** Goes into a request header, where another character would fail every request, or worse, begin a new header. */
function assertHeaderValue(location: UfsLocation, name: string, value: string): void {
  if (!/^[\x21-\x7e]*$/.test(value)) throw invalid(location, name, 'holds a character that no key has');
}

/** The value itself is not quoted: it may be a secret that was put into the wrong field. */
function invalid(location: UfsLocation, name: string, sentence: string): UfsError {
  return new UfsError('Invalid', location.ufs, `The option ${name} ${sentence}.`);
}
