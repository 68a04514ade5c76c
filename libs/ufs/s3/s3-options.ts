import type { DeclaredOptions, OptionUse } from '../declaration.js';

interface S3OptionEntry {
  readonly harmless: boolean;
  /**
   * Every spelling: the reference's first where it has one, then the plain word, Hadoop's (`fs.s3a.…`, of which there is
   * also a form for one bucket: `fs.s3a.bucket.<bucket>.…`) and older ones.
   */
  readonly names: readonly string[];
}

/** README.md explains them. */
export const s3OptionTable = {
  accessKeyId: {
    harmless: true,
    names: ['s3a.accessKeyId', 'accessKeyId', 'fs.s3a.access.key', 'aws.accessKeyId'],
  },
  secretAccessKey: {
    harmless: false,
    names: ['s3a.secretKey', 'secretAccessKey', 'fs.s3a.secret.key', 'aws.secretKey'],
  },
  sessionToken: {
    harmless: false,
    names: ['s3a.sessionToken', 'sessionToken', 'fs.s3a.session.token', 'aws.sessionToken'],
  },
  endpoint: {
    harmless: true,
    names: ['alluxio.underfs.s3.endpoint', 'endpoint', 'fs.s3a.endpoint'],
  },
  region: {
    harmless: true,
    names: ['alluxio.underfs.s3.region', 'region', 'fs.s3a.endpoint.region', 'alluxio.underfs.s3.endpoint.region'],
  },
  pathStyle: {
    harmless: true,
    names: ['alluxio.underfs.s3.disable.dns.buckets', 'pathStyle', 'fs.s3a.path.style.access'],
  },
  ssl: {
    harmless: true,
    names: ['alluxio.underfs.s3.secure.http.enabled', 'ssl', 'fs.s3a.connection.ssl.enabled'],
  },
  redirectHosts: {
    harmless: true,
    names: ['redirectHosts'],
  },
  credentialsProvider: {
    harmless: true,
    names: ['fs.s3a.aws.credentials.provider'],
  },
  unorderedListing: {
    harmless: true,
    names: ['unorderedListing'],
  },
} as const satisfies Record<string, S3OptionEntry>;

export type S3OptionName = keyof typeof s3OptionTable;

const byName = new Map<string, S3OptionName>();
for (const option of Object.keys(s3OptionTable) as S3OptionName[]) {
  for (const name of s3OptionTable[option].names) byName.set(name, option);
}

const hadoop = 'fs.s3a.';
const hadoopBucket = 'fs.s3a.bucket.';

/**
 * Names that configurations of Hadoop and Alluxio hold and that have no meaning to a reader: connection pools, retries and
 * buffers of another program, and everything about writing. What would change how a bucket is asked or what is read
 * (proxies, roles, encryption with keys of one's own, who pays) is not among them: without it, a mount would not do
 * what it says. Sources: Hadoop's core-default.xml (fs.s3a.*), Alluxio's PropertyKey (alluxio.underfs.s3.*).
 */
const idle = new RegExp(
  [
    '^fs\\.s3a\\.(?:',
    [
      'connection\\.(?:maximum|timeout|ttl|keepalive|(?:establish|request|acquisition|part\\.upload)\\.timeout)',
      'connection\\.(?:idle\\.time|expect\\.continue)|socket\\.(?:send|recv)\\.buffer|threads\\.(?:max|core|keepalivetime)',
      'max\\.total\\.tasks|executor\\.capacity|attempts\\.maximum|retry\\.(?:throttle\\.)?(?:limit|interval)|paging\\.maximum',
      'retry\\.http\\.5xx\\.errors|user\\.agent\\.prefix|impl(?:\\.disable\\.cache)?|block\\.size|buffer\\.dir|acl\\.default',
      'multipart\\.(?:size|threshold|purge|purge\\.age|uploads\\.enabled)|multiobjectdelete\\.enable|bulk\\.delete\\.page\\.size',
      'fast\\.upload(?:\\.buffer|\\.active\\.blocks)?|readahead\\.range|experimental\\.(?:input\\.)?fadvise|optimized\\.copy\\..*',
      'committer\\..*|metadatastore\\..*|s3guard\\..*|directory\\.marker\\..*|prefetch\\..*|vectored\\..*|audit\\..*',
      'change\\.detection\\..*|etag\\.checksum\\.enabled|create\\..*|performance\\.flags?|input\\.async\\.drain\\.threshold',
    ].join('|'),
    ')$|^fs\\.(?:AbstractFileSystem\\.)?s3[an]?\\.impl(?:\\.disable\\.cache)?$',
    '|^alluxio\\.underfs\\.s3\\.(?:',
    [
      'connections\\.max|connection\\.(?:timeout|ttl)|connect\\.(?:timeout|ttl)|(?:socket|request)\\.timeout|max\\.error\\.retry',
      '(?:admin\\.|upload\\.)?threads\\.max|owner\\.id\\.to\\.username\\.mapping|default\\.mode|inherit\\.acl|sdk\\.version|v2\\..*',
      'multipart\\.upload\\..*|streaming\\.upload\\..*|intermediate\\.upload\\.clean\\.age|bulk\\.delete\\.enabled',
      'server\\.side\\.encryption\\.enabled|directory\\.suffix',
    ].join('|'),
    ')$',
  ].join(''),
);

/** The meaning of a name for a mount of a bucket. */
type Meaning = { option: S3OptionName; forBucket: boolean } | 'idle' | undefined;

/** @param bucket of the mount */
export function meaningOf(name: string, bucket: string): Meaning {
  if (!name.startsWith(hadoopBucket)) return generalMeaning(name, false);
  const own = `${hadoopBucket}${bucket}.`;
  const meaning = name.startsWith(own) ? generalMeaning(`${hadoop}${name.slice(own.length)}`, true) : undefined;
  return meaning ?? (isOfAnotherBucket(name, own) ? 'idle' : undefined);
}

function generalMeaning(name: string, forBucket: boolean): Meaning {
  const option = byName.get(name);
  if (option !== undefined) return { option, forBucket };
  return idle.test(name) ? 'idle' : undefined;
}

/** A bucket's name may hold dots: `fs.s3a.bucket.a.b.endpoint` is the endpoint of the bucket `a.b`, not of `a`. */
function isOfAnotherBucket(name: string, own: string): boolean {
  if (!name.startsWith(own)) return true;
  const rest = name.slice(own.length).split('.');
  return rest.some((_, i) => i > 0 && byName.has(`${hadoop}${rest.slice(i).join('.')}`));
}

/**
 * Whether a bucket may have this name, by the names that stores have, not by Amazon's rules for new buckets. Amazon's
 * before 2018 may have 255 letters of both cases, `.`, `-` and `_` anywhere (Amazon S3 user guide, General purpose
 * bucket naming rules). Ceph writes `tenant:bucket`. `.` and `..` would be a step in the request's path. The store
 * tells whether it exists.
 */
export function isBucketName(name: string): boolean {
  return /^[A-Za-z0-9._:-]{1,255}$/.test(name) && name !== '.' && name !== '..';
}

/** The mount's bucket; '' where the location is malformed, which another check reports. */
export function bucketOf(ufs: string): string {
  return /^s3:\/\/([^/]*)/.exec(ufs)?.[1] ?? '';
}

export const s3Options: DeclaredOptions = {
  use(name, ufs): OptionUse {
    const meaning = meaningOf(name, bucketOf(ufs));
    if (meaning === undefined) return { kind: 'unknown' };
    return meaning === 'idle' ? { kind: 'idle' } : { kind: 'taken', harmless: s3OptionTable[meaning.option].harmless };
  },
  names(ufs) {
    const general = [...byName.keys()].sort((a, b) => a.split('.').length - b.split('.').length);
    const own = general.filter((name) => name.startsWith(hadoop)).map((name) => name.slice(hadoop.length));
    return [...general, ...own.map((name) => `${hadoopBucket}${bucketOf(ufs)}.${name}`)];
  },
};
