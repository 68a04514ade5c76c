import { BlockList, isIP } from 'node:net';

export interface KnownHostsOptions {
  /** The address that the process listens on. */
  listenHost: string;
  /** Further names, from LARDER_HOSTNAMES; undefined if it is not set. */
  hostnames: readonly string[] | undefined;
  /** `host:port` that others use to reach this process. */
  advertised?: string;
}

const loopback = new BlockList();
loopback.addSubnet('127.0.0.0', 8, 'ipv4');
loopback.addAddress('::1', 'ipv6');

/**
 * The host names that a process accepts. A web page can make a browser send requests to this process under the page's
 * own name, whose address it then changes to ours (DNS rebinding). Such a request carries a foreign host name. A
 * process that listens on loopback accepts `localhost`, the loopback addresses and the names of LARDER_HOSTNAMES. A
 * process that listens elsewhere accepts any address, since an address cannot be rebound, and the names of
 * LARDER_HOSTNAMES. While that is not set it accepts any name, because only the operator knows the right ones.
 */
export class KnownHosts {
  private readonly names: ReadonlySet<string>;
  private readonly onLoopback: boolean;
  private readonly anyName: boolean;

  constructor({ listenHost, hostnames, advertised }: KnownHostsOptions) {
    const others = advertised === undefined ? [] : [hostOf(advertised) ?? ''];
    this.names = new Set([...(hostnames ?? []), listenHost, ...others].map((name) => bare(name)));
    this.onLoopback = isLoopback(bare(listenHost));
    this.anyName = !this.onLoopback && hostnames === undefined;
  }

  /** @param host from a `Host` header: a name or an address, with or without a port */
  knows(host: string): boolean {
    const name = hostOf(host);
    return name !== undefined && (this.anyName || this.isListed(name) || (!this.onLoopback && isIP(name) !== 0));
  }

  /**
   * Whether a page of this origin may change something here: the page comes from the host that the request names, or
   * from a name that this process accepts.
   * @param origin from an `Origin` header, `http://host:port` or `null`
   * @param host from the request's `Host` header
   */
  trustsOrigin(origin: string, host: string | undefined): boolean {
    if (!URL.canParse(origin)) return false;
    const name = bare(new URL(origin).hostname);
    return name !== '' && (this.isListed(name) || (host !== undefined && hostOf(host) === name));
  }

  private isListed(name: string): boolean {
    return this.names.has(name) || isLoopback(name);
  }
}

function isLoopback(name: string): boolean {
  const version = isIP(name);
  return version === 0 ? name === 'localhost' : loopback.check(name, version === 4 ? 'ipv4' : 'ipv6');
}

/** The host without its port and the brackets of an IPv6 address; undefined if it is not a host. */
function hostOf(host: string): string | undefined {
  const [, bracketed, plain] = /^(?:\[([0-9a-f:.]+)\]|([^\s:/\\@?#[\]]+))(?::\d{0,5})?$/i.exec(host.trim()) ?? [];
  const name = bracketed ?? plain;
  return name === undefined ? undefined : bare(name);
}

/** Lower case, without brackets and the dot that ends a full name. */
function bare(name: string): string {
  return name
    .trim()
    .toLowerCase()
    .replace(/^\[(.*)\]$/, '$1')
    .replace(/\.$/, '');
}
