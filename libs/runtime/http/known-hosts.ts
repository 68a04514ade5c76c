import { BlockList, isIP } from 'node:net';

export interface KnownHostsOptions {
  /** The address that is listened on. */
  listenHost: string;
  /** Further names, as LARDER_HOSTNAMES has them; none: undefined. */
  hostnames: readonly string[] | undefined;
  /** `host:port` under which others were told to reach this process. */
  advertised?: string;
}

const loopback = new BlockList();
loopback.addSubnet('127.0.0.0', 8, 'ipv4');
loopback.addAddress('::1', 'ipv6');

/**
 * The names by which a process may be asked. A page of the web can make a browser ask this process under a name of the
 * page's own, whose address it then changes to ours (DNS rebinding): such a request names a host that nobody here goes
 * by. What listens on loopback goes by `localhost`, the loopback addresses and the names of LARDER_HOSTNAMES. What
 * listens elsewhere may be reached by any address, since an address cannot be rebound, and by the names that
 * LARDER_HOSTNAMES lists; by any name while it lists none, for nobody but the operator knows them.
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

  /** @param host of a `Host` header: a name or an address, with or without a port */
  knows(host: string): boolean {
    const name = hostOf(host);
    return name !== undefined && (this.anyName || this.isListed(name) || (!this.onLoopback && isIP(name) !== 0));
  }

  /**
   * Whether a page of this origin may change something here: one that was served by this very host, or by a name that
   * this process goes by.
   * @param origin of an `Origin` header, `http://host:port` or `null`
   * @param host of the request's `Host` header
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

/** Without the port and the brackets of an IPv6 address; undefined for what is no host. */
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
