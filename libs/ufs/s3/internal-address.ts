import { lookup as resolve, type LookupAddress, type LookupOptions } from 'node:dns';
import { BlockList, isIP } from 'node:net';

/** Networks that are not the Internet (IANA IPv4 and IPv6 Special-Purpose Address Registries). */
const internal = new BlockList();
for (const [network, prefix] of [
  ['0.0.0.0', 8], ['10.0.0.0', 8], ['100.64.0.0', 10], ['127.0.0.0', 8], ['169.254.0.0', 16], ['172.16.0.0', 12],
  ['192.0.0.0', 24], ['192.168.0.0', 16], ['198.18.0.0', 15], ['224.0.0.0', 4], ['240.0.0.0', 4],
] as const) internal.addSubnet(network, prefix, 'ipv4'); // prettier-ignore
for (const [network, prefix] of [
  // The first and the last two contain an IPv4 address, which is not inspected.
  ['::', 96], ['fc00::', 7], ['fe80::', 10], ['fec0::', 10], ['ff00::', 8], ['64:ff9b::', 96], ['2002::', 16],
] as const) internal.addSubnet(network, prefix, 'ipv6'); // prettier-ignore

/**
 * Whether an IP address belongs to this machine or its own network; also an IPv4 one in IPv6 form (`::ffff:10.0.0.1`).
 */
export function isInternalAddress(address: string): boolean {
  const family = isIP(address);
  return family !== 0 && internal.check(address, family === 4 ? 'ipv4' : 'ipv6');
}

/** A name that must not lead to an internal address led to one. */
export class InternalAddressError extends Error {
  override readonly name = 'InternalAddressError';

  constructor(readonly host: string) {
    super(`${host} is an internal address`);
  }
}

type Callback = (error: Error | null, address: string | LookupAddress[], family?: number) => void;

/**
 * `dns.lookup` for connections that must not reach an internal address. It checks the addresses that are connected to:
 * so a name cannot resolve to one address for the check and to another for the connection.
 */
export function externalLookup(host: string, options: LookupOptions, callback: Callback): void {
  resolve(host, { ...options, all: true }, (error, addresses) => {
    if (error) callback(error, []);
    else if (addresses.some(({ address }) => isInternalAddress(address))) callback(new InternalAddressError(host), []);
    else if (options.all === true) callback(null, addresses);
    else callback(null, addresses[0].address, addresses[0].family);
  });
}
