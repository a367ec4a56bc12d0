import fc from 'fast-check';
import { expect, test } from 'vitest';
import { formatQuantity, parseQuantity, sumQuantities } from '../../../local/kubernetes/quantity.ts';

test.each([
  ['1', 1_000n],
  ['100m', 100n],
  ['1.5', 1_500n],
  ['.5', 500n],
  ['1k', 1_000_000n],
  ['1Ki', 1_024_000n],
  ['1.5Gi', 1_610_612_736_000n],
  ['2e3', 2_000_000n],
  ['1E', 10n ** 21n],
  ['100u', 1n],
  ['-5', -5_000n],
])('%s is %i thousandths', (text, milli) => {
  expect(parseQuantity(text)?.milli).toBe(milli);
});

test.each(['', 'abc', '1 Gi', '1GiB', '1.2.3', 'm', '1K'])('%j is no quantity', (text) => {
  expect(parseQuantity(text)).toBeUndefined();
});

test.each([
  ['1000m', '1'],
  ['1500m', '1500m'],
  ['1024Mi', '1Gi'],
  ['1536Mi', '1536Mi'],
  ['1000k', '1M'],
  ['0', '0'],
  ['0.5', '500m'],
])('%s is written %s', (text, canonical) => {
  expect(formatQuantity(parseQuantity(text)!)).toBe(canonical);
});

test('writing and reading a quantity changes nothing', () => {
  fc.assert(
    fc.property(fc.bigInt(-(10n ** 20n), 10n ** 20n), fc.boolean(), (milli, binary) => {
      expect(parseQuantity(formatQuantity({ milli, binary }))?.milli).toBe(milli);
    }),
  );
});

test('a sum is written in the unit of its first part', () => {
  expect(formatQuantity(sumQuantities(['256Mi', '256Mi', undefined].map(parseQuantity)))).toBe('512Mi');
  expect(formatQuantity(sumQuantities([]))).toBe('0');
});
