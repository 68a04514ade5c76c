import { parseErrorBody } from './list-xml.js';

const regionName = /^[A-Za-z0-9-]{1,64}$/;

export function isRegionName(text: string): boolean {
  return regionName.test(text);
}

/**
 * Amazon's hosts contain their region, and Hadoop's users often give only the host: `s3.<region>.amazonaws.com`, also
 * as `s3-<region>`, `s3.dualstack.<region>`, with `-fips` and with the bucket before it.
 * @returns undefined for any other host; `region` is absent for `s3.amazonaws.com`
 */
export function amazonHost(host: string): { before: string; region?: string; domain: string } | undefined {
  const form =
    /^((?:.+\.)?s3(?:-fips)?)(?:([.-](?:dualstack\.)?)([a-z]{2}(?:-[a-z]+)+-\d+))?\.(amazonaws\.com(?:\.cn)?)$/;
  const [, before, between, region, domain] = form.exec(host) ?? [];
  return before === undefined ? undefined : { before: before + (between ?? '.'), region, domain };
}

/** One of Amazon's origins, moved to another region. Any other origin stays as it is. */
export function originInRegion(origin: string, region: string): string {
  const { protocol, hostname, port } = new URL(origin);
  const amazon = amazonHost(hostname);
  if (amazon === undefined) return origin;
  const domain = region.startsWith('cn-') ? 'amazonaws.com.cn' : 'amazonaws.com';
  return `${protocol}//${amazon.before}${region}.${domain}${port === '' ? '' : `:${port}`}`;
}

/** Statuses of a server whose bucket is elsewhere. A HEAD has only the status and the header. */
const elsewhereStatuses: ReadonlySet<number> = new Set([301, 302, 307, 308, 400, 403]);

/** The region in an error answer's header or body (Amazon S3 API reference, HeadBucket; Error responses). */
export function toldRegion(
  { status, headers }: { status: number; headers: Record<string, string | string[] | undefined> },
  body: Buffer,
): string | undefined {
  if (!elsewhereStatuses.has(status)) return undefined;
  const header = headers['x-amz-bucket-region'];
  if (typeof header === 'string' && isRegionName(header)) return header;
  return parseErrorBody(body.toString('utf8')).region;
}

/**
 * The region that requests are signed for: the configured one, until the store names another. A named region is tried
 * once, and only while no request has succeeded: a store may name some region with every refusal. If the named region
 * is refused in favour of the configured one, the configured one is used for good.
 */
export class SigningRegion {
  private learned: string | undefined;
  private isSettled = false;

  constructor(private readonly configured: string) {}

  get current(): string {
    return this.learned ?? this.configured;
  }

  /** A request that was signed for `used` has succeeded. */
  confirm(used: string): void {
    if (used === this.current) this.isSettled = true;
  }

  /** Whether a request that was signed for `used` is worth another try, signed for the region that the store named. */
  learn(told: string | undefined, used: string): boolean {
    if (told === undefined || told === used) return false;
    if (!this.isSettled && this.learned === undefined) this.learned = told;
    else if (!this.isSettled && used === this.learned && told === this.configured) {
      this.learned = told;
      this.isSettled = true;
    }
    return this.current === told;
  }
}
