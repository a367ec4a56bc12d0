import { templateError } from './refusals.ts';

export interface Block {
  /** First address as a number. */
  readonly from: number;
  /** Last address. */
  readonly to: number;
  readonly prefix: number;
}

/** An IPv4 block such as 10.1.0.0/20; undefined when the text is none, or has bits set behind its prefix. */
export const readBlock = (text: string): Block | undefined => {
  const match = /^(\d{1,3})\.(\d{1,3})\.(\d{1,3})\.(\d{1,3})\/(\d{1,2})$/.exec(text);
  if (!match) return undefined;
  const [a, b, c, d, prefix] = match.slice(1).map(Number) as [number, number, number, number, number];
  if ([a, b, c, d].some((byte) => byte > 255) || prefix > 32) return undefined;
  const from = ((a * 256 + b) * 256 + c) * 256 + d;
  const size = 2 ** (32 - prefix);
  return from % size === 0 ? { from, to: from + size - 1, prefix } : undefined;
};

const addressOf = (number: number): string => [24, 16, 8, 0].map((shift) => (number >>> shift) & 255).join('.');

export const contains = (outer: Block, inner: Block): boolean => inner.from >= outer.from && inner.to <= outer.to;

export const overlaps = (one: Block, other: Block): boolean => one.from <= other.to && other.from <= one.to;

/** `Fn::Cidr`: `count` blocks with `bits` host bits each from the start of a block. */
export const subnetsOf = (text: string, count: number, bits: number): string[] => {
  const block = readBlock(text);
  const size = 2 ** bits;
  if (!block || !Number.isInteger(count) || count < 1 || count > 256 || bits < 1 || bits > 32 - block.prefix)
    throw templateError(`Fn::Cidr cannot make ${count} blocks with ${bits} host bits of "${text}"`);
  if (block.from + count * size - 1 > block.to)
    throw templateError(`Fn::Cidr: ${text} has no room for ${count} blocks with ${bits} host bits`);
  return Array.from({ length: count }, (_, index) => `${addressOf(block.from + index * size)}/${32 - bits}`);
};
