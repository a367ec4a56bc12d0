/** Host bits of a tenant's network: a /20, 4,096 addresses. `lib/tenant-stack/network.ts` cuts it into subnets. */
const hostBits = 12;
const size = 2 ** hostBits;

interface Block {
  readonly from: number;
  readonly to: number;
}

const blockOf = (cidr: string): Block => {
  const [, a, b, c, d, prefix] = /^(\d+)\.(\d+)\.(\d+)\.(\d+)\/(\d+)$/.exec(cidr) ?? [];
  if (prefix === undefined) throw new Error(`"${cidr}" is not an IPv4 block; give one such as 10.64.0.0/10`);
  const address = [a, b, c, d].reduce((sum, byte) => sum * 256 + Number(byte), 0);
  const length = 2 ** (32 - Number(prefix));
  const from = address - (address % length);
  return { from, to: from + length - 1 };
};

const text = (from: number): string =>
  `${[24, 16, 8, 0].map((bits) => (from >>> bits) & 255).join('.')}/${32 - hostBits}`;

/** Whether two blocks have an address in common: networks that do cannot be peered. */
export const overlaps = (one: string, other: string): boolean => {
  const [a, b] = [blockOf(one), blockOf(other)];
  return a.from <= b.to && b.from <= a.to;
};

/** FNV-1a: spreads names evenly, and answers the same everywhere. */
const hash = (name: string): number =>
  [...name].reduce((sum, letter) => Math.imul(sum ^ letter.charCodeAt(0), 0x01000193) >>> 0, 0x811c9dc5);

/**
 * The network of a cluster: the first free /20 of `range` from a place that its name decides, so that two clusters seldom want the
 * same one. Undefined when none is left. `taken`: every block that it must not overlap.
 */
export const freeNetwork = (range: string, name: string, taken: readonly string[]): string | undefined => {
  const { from, to } = blockOf(range);
  const count = Math.floor((to - from + 1) / size);
  const others = taken.map(blockOf);
  for (let tried = 0; tried < count; tried += 1) {
    const start = from + ((hash(name) + tried) % count) * size;
    if (others.every((other) => start + size - 1 < other.from || other.to < start)) return text(start);
  }
  return undefined;
};
