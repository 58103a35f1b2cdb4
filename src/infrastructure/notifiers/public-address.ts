import { BlockList, isIP } from 'node:net';

/** IANA's special-purpose registries (RFC 6890 and its updates): what is no host of the public internet. */
const NOT_PUBLIC_V4: readonly (readonly [network: string, prefix: number])[] = [
  ['0.0.0.0', 8],
  ['10.0.0.0', 8],
  ['100.64.0.0', 10], // carrier-grade NAT; a cloud's metadata service at 100.100.100.200
  ['127.0.0.0', 8],
  ['168.63.129.16', 32], // a cloud's own service, on a public address
  ['169.254.0.0', 16], // link-local; most clouds' metadata service at 169.254.169.254
  ['172.16.0.0', 12],
  ['192.0.0.0', 24],
  ['192.0.2.0', 24],
  ['192.88.99.0', 24],
  ['192.168.0.0', 16],
  ['198.18.0.0', 15],
  ['198.51.100.0', 24],
  ['203.0.113.0', 24],
  ['224.0.0.0', 4], // multicast
  ['240.0.0.0', 4], // reserved, and broadcast
];

/** Inside the global unicast space. */
const NOT_PUBLIC_V6: readonly (readonly [network: string, prefix: number])[] = [
  ['2001::', 23], // protocol assignments, Teredo among them
  ['2001:db8::', 32],
  ['2002::', 16], // 6to4 carries any IPv4 address
  ['3fff::', 20],
];

/** RFC 6052: how an IPv6-only network reaches IPv4. Judged by the IPv4 address inside. */
const NAT64 = '64:ff9b::';

const publicV6 = new BlockList();
publicV6.addSubnet('2000::', 3, 'ipv6');
publicV6.addSubnet(NAT64, 96, 'ipv6');

const notPublicV4 = new BlockList();
const notPublicV6 = new BlockList();
for (const [network, prefix] of NOT_PUBLIC_V4) {
  notPublicV4.addSubnet(network, prefix, 'ipv4');
  notPublicV6.addSubnet(`${NAT64}${network}`, 96 + prefix, 'ipv6');
}
for (const [network, prefix] of NOT_PUBLIC_V6) notPublicV6.addSubnet(network, prefix, 'ipv6');

/**
 * Whether an address belongs to a host of the public internet: no private, loopback, link-local, carrier's, multicast,
 * metadata, documentation or reserved network. IPv6 is public by being listed, so mapped (`::ffff:…`), unique local and
 * link-local ones are not. What is no address is not public.
 */
export function isPublicAddress(address: string): boolean {
  switch (isIP(address)) {
    case 4:
      return !notPublicV4.check(address, 'ipv4');
    case 6: // a zone (`%eth0`) makes sense for link-local addresses only
      return !address.includes('%') && publicV6.check(address, 'ipv6') && !notPublicV6.check(address, 'ipv6');
    default:
      return false;
  }
}
