import { isIP } from 'node:net';
import { printable } from '../names.js';
import { UfsError } from '../types.js';
import { isInternalAddress } from './internal-address.js';
import { amazonHost } from './s3-region.js';

/** Where a mount's requests may be redirected to. */
export interface RedirectRules {
  /** The endpoint's hosts, at any port. */
  ownHosts: readonly string[];
  /** Set by the operator: a host, or `*.` and the end of a host's name. */
  hosts: readonly string[];
}

/** Where a request goes. */
export interface RequestTarget {
  /** Scheme, host and port. */
  origin: string;
  /** Host and port as the header `host` has them: without a default port. */
  host: string;
  /** With the query. */
  path: string;
  region: string;
  /** The mount does not name this host: it must not resolve to an internal address. */
  mustBeExternal?: boolean;
}

/** RFC 9110, 15.4, except 303, which requests another method. */
const redirectStatuses: ReadonlySet<number> = new Set([301, 302, 307, 308]);
export const maxHops = 5;

/** The redirections of one request. */
export class Redirects {
  private readonly visited = new Set<string>();

  constructor(
    private readonly rules: RedirectRules,
    private readonly ufsPath: string,
  ) {}

  /**
   * The target of a redirection; undefined for other answers, or without a location.
   * @throws UfsError `Invalid` where the target is not allowed, for a circle, or for one hop too many
   */
  next(
    from: RequestTarget,
    { status, headers }: { status: number; headers: Record<string, string | string[] | undefined> },
  ): RequestTarget | undefined {
    const { location } = headers;
    if (!redirectStatuses.has(status) || typeof location !== 'string') return undefined;
    const base = from.origin + from.path;
    const to = URL.canParse(location, base) ? new URL(location, base) : undefined;
    if (to === undefined) throw this.refusal(status, 'to an invalid address');
    const shown = `to ${printable(to.origin)}`;
    if (!['http:', 'https:'].includes(to.protocol)) throw this.refusal(status, `with the scheme ${to.protocol}`);
    if (to.username !== '' || to.password !== '')
      throw this.refusal(status, `${shown} with credentials in the address`);
    if (from.origin.startsWith('https:') && to.protocol === 'http:') {
      throw this.refusal(status, `${shown}, from https to http`);
    }
    const allowed = allowance(hostOf(to), this.rules);
    if (allowed === undefined) {
      const advice = 'where this mount does not go; the option redirectHosts can name further hosts';
      throw this.refusal(status, `${shown}, ${advice}`);
    }
    this.visited.add(base);
    const path = to.pathname + to.search;
    if (this.visited.has(to.origin + path)) throw this.refusal(status, `in a circle, back ${shown}`);
    if (this.visited.size > maxHops) throw this.refusal(status, `more than ${maxHops} times, at last ${shown}`);
    const region = amazonHost(to.hostname)?.region ?? from.region;
    return { origin: to.origin, host: to.host, path, region, mustBeExternal: allowed === 'if external' };
  }

  private refusal(status: number, how: string): UfsError {
    const path = this.ufsPath;
    return new UfsError('Invalid', path, `The server redirects ${how} (${status}): ${printable(path)}.`);
  }
}

/**
 * Whether requests, with their signatures, may go to a host. A host that is allowed by a pattern, or because it is
 * Amazon's like the endpoint, must lie outside of the own network, also by its address.
 */
export function allowance(host: string, { ownHosts, hosts }: RedirectRules): 'yes' | 'if external' | undefined {
  if (ownHosts.includes(host) || hosts.includes(host)) return 'yes';
  if (isIP(host) !== 0 || isInternalAddress(host)) return undefined;
  const isOfPattern = hosts.some((one) => one.startsWith('*.') && host.endsWith(one.slice(1)));
  const isAmazons = ownHosts.some((own) => amazonDomain(own) !== undefined && amazonDomain(own) === amazonDomain(host));
  return isOfPattern || isAmazons ? 'if external' : undefined;
}

/** China has a domain of its own. */
function amazonDomain(host: string): string | undefined {
  return /\.(amazonaws\.com(?:\.cn)?)$/.exec(host)?.[1];
}

const hostName = /^(?:\*\.)?[a-z0-9_](?:[a-z0-9_-]*[a-z0-9_])?(?:\.[a-z0-9_](?:[a-z0-9_-]*[a-z0-9_])?)*$/;

/** `a.example.com, *.b.example.com, 10.0.0.1` as the rules have them; undefined where one of them is none. */
export function parseHosts(text: string): string[] | undefined {
  const hosts = text
    .toLowerCase()
    .split(',')
    .map((one) => one.trim().replace(/^\[(.*)\]$/, '$1'));
  const isHost = (one: string) => isIP(one) !== 0 || (hostName.test(one) && isIP(one.slice(2)) === 0);
  if (!hosts.every(isHost)) return undefined;
  return hosts.map((one) => (isIP(one) === 6 ? hostOf(new URL(`http://[${one}]`)) : one));
}

/** Lower case, an IPv6 address without its brackets, no dot at the end. */
export function hostOf(url: URL): string {
  return url.hostname
    .toLowerCase()
    .replace(/^\[(.*)\]$/, '$1')
    .replace(/\.$/, '');
}
