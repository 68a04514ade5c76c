import { readOption } from './s3-given.js';
import { bucketOf } from './s3-options.js';
import type { UfsLocation } from '../types.js';

/** Of Amazon's own endpoints; see `amazonPartition`. */
const amazonHost = /^s3(?:-accelerate|-external-1|-fips)?(?:[.-](?:dualstack\.)?([a-z]{2}(?:-[a-z]+)+-\d+))?$/;

/**
 * The store of a bucket: everything that decides which bytes a key names. That is the bucket and its address: scheme,
 * host in lower case and port, with defaults filled in, and a path before the bucket. Keys, the region and the bucket's
 * place in a request do not count. Amazon's endpoints of one partition, in all regions, are one store: within a
 * partition, a bucket's name is given once (Amazon S3 User Guide, "Bucket naming rules").
 *
 * Returns a store for every location, also for one that cannot be opened.
 */
export function s3Store(location: UfsLocation): string {
  return `s3:${endpointOf(location)}/${bucketOf(location.ufs)}`;
}

function endpointOf(location: UfsLocation): string {
  const region = readOption(location, 'region')?.value ?? '';
  const endpoint = readOption(location, 'endpoint')?.value;
  if (endpoint === undefined) return partitionOf(region, 'amazonaws.com');
  const plain = readOption(location, 'ssl')?.value.toLowerCase() === 'false';
  const text = endpoint.includes('://') ? endpoint : `${plain ? 'http' : 'https'}://${endpoint}`;
  if (!URL.canParse(text)) return endpoint;
  const { protocol, hostname, port, pathname } = new URL(text);
  const host = hostname.replace(/\.$/, '');
  const amazon = amazonPartition(host, region);
  if (amazon !== undefined) return amazon;
  const defaultPort = protocol === 'http:' ? '80' : '443';
  return `${protocol}//${host}:${port || defaultPort}${pathname.replace(/\/+$/, '')}`;
}

/** Undefined for a host that is not Amazon's (AWS General Reference, "Amazon S3 endpoints and quotas"). */
function amazonPartition(host: string, region: string): string | undefined {
  const [, name = '', domain = ''] = /^(.+?)\.(amazonaws\.com(?:\.cn)?)$/.exec(host) ?? [];
  const plain = name.replace(/\.dualstack$/, '');
  const found = amazonHost.exec(plain);
  return found ? partitionOf(found[1] ?? region, domain) : undefined;
}

function partitionOf(region: string, domain: string): string {
  if (domain.endsWith('.cn') || region.startsWith('cn-')) return 'aws-cn';
  return region.startsWith('us-gov-') ? 'aws-us-gov' : 'aws';
}
