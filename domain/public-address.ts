/** What no customer's host may resolve to, by first address, prefix length and name (IANA special-purpose registry, RFC 6890). */
const closedIpv4 = [
  ['0.0.0.0', 8, 'unspecified'],
  ['10.0.0.0', 8, 'private'],
  ['100.64.0.0', 10, 'shared'],
  ['127.0.0.0', 8, 'loopback'],
  ['169.254.0.0', 16, 'link-local, where clouds keep their metadata'],
  ['172.16.0.0', 12, 'private'],
  ['192.0.0.0', 24, 'special'],
  ['192.0.2.0', 24, 'documentation'],
  ['192.88.99.0', 24, 'a 6to4 relay'],
  ['192.168.0.0', 16, 'private'],
  ['198.18.0.0', 15, 'for benchmarks'],
  ['198.51.100.0', 24, 'documentation'],
  ['203.0.113.0', 24, 'documentation'],
  ['224.0.0.0', 4, 'multicast'],
  ['240.0.0.0', 4, 'reserved'],
] as const;

/** Inside 2000::/3, the only addresses that are given out (RFC 4291): those that carry an IPv4 address, and documentation. */
const closedIpv6 = [
  ['2001::', 23, 'special'],
  ['2001:db8::', 32, 'documentation'],
  ['2002::', 16, '6to4, which carries an IPv4 address'],
  ['3fff::', 20, 'documentation'],
] as const;

const ipv4 = (text: string): bigint | undefined => {
  const parts = text.split('.');
  // A leading zero is octal to some programs and decimal to others.
  if (parts.length !== 4 || !parts.every((part) => /^(?:0|[1-9]\d{0,2})$/.test(part) && Number(part) <= 255))
    return undefined;
  return parts.reduce((sum, part) => sum * 256n + BigInt(part), 0n);
};

const groupsOf = (text: string): readonly string[] => (text === '' ? [] : text.split(':'));

const ipv6 = (text: string): bigint | undefined => {
  const dotted = /^(.*:)(\d+\.\d+\.\d+\.\d+)$/.exec(text);
  const embedded = dotted ? ipv4(dotted[2]!) : undefined;
  if (dotted && embedded === undefined) return undefined;
  const plain =
    embedded === undefined
      ? text
      : `${dotted![1]}${(embedded >> 16n).toString(16)}:${(embedded & 0xffffn).toString(16)}`;
  const halves = plain.split('::');
  if (halves.length > 2) return undefined;
  const [head, tail] = [groupsOf(halves[0]!), groupsOf(halves[1] ?? '')];
  const missing = 8 - head.length - tail.length;
  if (halves.length === 2 ? missing < 1 : missing !== 0) return undefined;
  const groups = [...head, ...Array.from({ length: missing }, () => '0'), ...tail];
  if (!groups.every((group) => /^[0-9a-f]{1,4}$/i.test(group))) return undefined;
  return groups.reduce((sum, group) => sum * 65_536n + BigInt(`0x${group}`), 0n);
};

const within = (address: bigint, network: bigint, prefix: number, bits: number): boolean =>
  address >> BigInt(bits - prefix) === network >> BigInt(bits - prefix);

/**
 * Why nothing may be sent to an address that somebody else's DNS gave; undefined for a public one. IPv6 outside 2000::/3 is refused
 * as a whole: loopback, link-local, unique local with the metadata address fd00:ec2::254, multicast, and every IPv4-mapped form.
 */
export const addressProblem = (text: string): string | undefined => {
  const four = ipv4(text);
  if (four !== undefined) {
    const closed = closedIpv4.find(([network, prefix]) => within(four, ipv4(network)!, prefix, 32));
    return closed && `${text} is ${closed[2]} (${closed[0]}/${closed[1]})`;
  }
  const six = ipv6(text);
  if (six === undefined) return `${JSON.stringify(text)} is no IP address`;
  if (!within(six, ipv6('2000::')!, 3, 128)) return `${text} is outside of 2000::/3, the public IPv6 addresses`;
  const closed = closedIpv6.find(([network, prefix]) => within(six, ipv6(network)!, prefix, 128));
  return closed && `${text} is ${closed[2]} (${closed[0]}/${closed[1]})`;
};
