/** Kubernetes' resource quantities. Source: k8s.io/apimachinery resource.Quantity. */
export interface Quantity {
  /** Thousandths of the unit: `1` cpu is 1000n, `1Ki` is 1024000n. */
  readonly milli: bigint;
  readonly binary: boolean;
}

const decimal = ['', 'k', 'M', 'G', 'T', 'P', 'E'];
const binary = ['Ki', 'Mi', 'Gi', 'Ti', 'Pi', 'Ei'];

const pattern = /^([+-]?)(\d+(?:\.\d*)?|\.\d+)(?:(n|u|m|k|M|G|T|P|E|Ki|Mi|Gi|Ti|Pi|Ei)|[eE]([+-]?\d+))?$/;

const power = (base: bigint, exponent: number): bigint => base ** BigInt(exponent);

/** Undefined for what is no quantity. Rounded up to thousandths, as Kubernetes does. */
export const parseQuantity = (given: unknown): Quantity | undefined => {
  const [, sign, number, suffix = '', exponent] = pattern.exec(String(given ?? '')) ?? [];
  if (number === undefined) return undefined;
  const [whole = '0', fraction = ''] = number.split('.');
  const digits = BigInt(`${whole || '0'}${fraction}`);
  const isBinary = binary.includes(suffix);
  const tens = exponent
    ? Number(exponent)
    : ({ n: -9, u: -6, m: -3 }[suffix] ?? 3 * Math.max(0, decimal.indexOf(suffix)));
  const scale = (isBinary ? 0 : tens) + 3 - fraction.length;
  const factor = isBinary ? power(1024n, binary.indexOf(suffix) + 1) : 1n;
  const scaled = digits * factor;
  const up = power(10n, Math.abs(scale));
  const milli = scale >= 0 ? scaled * up : (scaled + up - 1n) / up;
  return { milli: sign === '-' ? -milli : milli, binary: isBinary };
};

/** The canonical text: `1500m`, `2`, `512Mi`, `10G`. */
export const formatQuantity = ({ milli, binary: isBinary }: Quantity): string => {
  if (milli % 1000n !== 0n) return `${milli}m`;
  let value = milli / 1000n;
  const [step, suffixes] = isBinary ? [1024n, ['', ...binary]] : [1000n, decimal];
  let index = 0;
  while (value !== 0n && value % step === 0n && index < suffixes.length - 1) {
    value /= step;
    index += 1;
  }
  return `${value}${suffixes[index]}`;
};

/** Unknown texts count as nothing. */
export const sumQuantities = (quantities: readonly (Quantity | undefined)[]): Quantity =>
  quantities.reduce<Quantity>(
    (sum, quantity) =>
      quantity ? { milli: sum.milli + quantity.milli, binary: sum.milli === 0n ? quantity.binary : sum.binary } : sum,
    { milli: 0n, binary: false },
  );
