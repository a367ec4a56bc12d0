import { BlockList, isIP } from 'node:net';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { addressProblem } from '../../domain/public-address.ts';

/** The same ranges, judged by Node's own implementation. */
const closed = new BlockList();
for (const [network, prefix] of [
  ['0.0.0.0', 8],
  ['10.0.0.0', 8],
  ['100.64.0.0', 10],
  ['127.0.0.0', 8],
  ['169.254.0.0', 16],
  ['172.16.0.0', 12],
  ['192.0.0.0', 24],
  ['192.0.2.0', 24],
  ['192.88.99.0', 24],
  ['192.168.0.0', 16],
  ['198.18.0.0', 15],
  ['198.51.100.0', 24],
  ['203.0.113.0', 24],
  ['224.0.0.0', 4],
  ['240.0.0.0', 4],
] as const)
  closed.addSubnet(network, prefix, 'ipv4');
const given = new BlockList();
given.addSubnet('2000::', 3, 'ipv6');
for (const [network, prefix] of [
  ['2001::', 23],
  ['2001:db8::', 32],
  ['2002::', 16],
  ['3fff::', 20],
] as const)
  closed.addSubnet(network, prefix, 'ipv6');

/** Beside any address, those at both ends of every range. */
const edges =
  '0.255.255.255 1.0.0.0 9.255.255.255 10.0.0.0 11.0.0.0 100.63.255.255 100.64.0.0 100.127.255.255 100.128.0.0'
    .concat(' 126.255.255.255 128.0.0.0 169.253.255.255 169.254.169.254 169.255.0.0 172.15.255.255 172.16.0.0')
    .concat(
      ' 172.31.255.255 172.32.0.0 192.167.255.255 192.168.0.0 192.169.0.0 198.17.255.255 198.20.0.0 223.255.255.255',
    )
    .concat(' 224.0.0.0 239.255.255.255 255.255.255.255')
    .split(' ');

test('an IPv4 address is public exactly when no closed range has it', () => {
  fc.assert(
    fc.property(fc.oneof(fc.ipV4(), fc.constantFrom(...edges)), (address) => {
      expect(addressProblem(address) === undefined).toBe(!closed.check(address, 'ipv4'));
    }),
    { numRuns: 2_000 },
  );
});

const sixth = fc
  .tuple(fc.constantFrom('2001', '2002', '2600', '3fff', '3ffe', 'fe80', 'fd00', 'ff02', '0', '64'), fc.ipV6())
  .map(([head, rest]) =>
    isIP(`${head}:${rest.split(':').slice(1).join(':')}`) ? `${head}:${rest.split(':').slice(1).join(':')}` : rest,
  );

test('an IPv6 address is public exactly when it is one that is given out and no closed range has it', () => {
  fc.assert(
    fc.property(fc.oneof(fc.ipV6(), sixth), (address) => {
      expect(addressProblem(address) === undefined).toBe(
        given.check(address, 'ipv6') && !closed.check(address, 'ipv6'),
      );
    }),
    { numRuns: 2_000 },
  );
});

test('no IPv4-mapped form of any address passes', () => {
  fc.assert(fc.property(fc.ipV4(), (address) => addressProblem(`::ffff:${address}`) !== undefined));
});

test.each(['::1', '::', 'fd00:ec2::254', 'fe80::1', 'ff02::1', '::ffff:7f00:1', '64:ff9b::a00:1', 'fec0::1'])(
  '%s is refused',
  (address) => {
    expect(addressProblem(address)).toContain(address);
  },
);

test('text that is no address is refused', () => {
  fc.assert(
    fc.property(
      fc.oneof(fc.string(), fc.constantFrom('010.0.0.1', '1.2.3', '0x7f.1.1.1', '1:2', 'fe80::1%eth0')),
      (text) => {
        fc.pre(isIP(text) === 0 || text.includes('%'));
        expect(addressProblem(text)).toContain('is no IP address');
      },
    ),
  );
});
