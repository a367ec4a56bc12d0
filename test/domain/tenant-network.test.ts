import fc from 'fast-check';
import { expect, test } from 'vitest';
import { freeNetwork, overlaps } from '../../domain/tenant-network.ts';

test('every tenant gets addresses of its own out of the range, the same for the same tenant', () => {
  const names = fc.uniqueArray(fc.stringMatching(/^[a-z][a-z0-9-]{1,20}$/), { minLength: 1, maxLength: 60 });
  fc.assert(
    fc.property(names, (tenants) => {
      const taken: string[] = ['10.64.0.0/16'];
      for (const tenant of tenants) {
        const network = freeNetwork('10.64.0.0/12', tenant, taken)!;
        expect(network).toMatch(/^10\.\d+\.\d+\.0\/20$/);
        expect(overlaps(network, '10.64.0.0/12')).toBe(true);
        expect(taken.some((other) => overlaps(other, network))).toBe(false);
        expect(freeNetwork('10.64.0.0/12', tenant, taken)).toBe(network);
        taken.push(network);
      }
    }),
    { numRuns: 50 },
  );
});

test('a range that is used up has no addresses for one more', () => {
  const taken = ['10.1.0.0/20', '10.1.16.0/20', '10.1.32.0/20'];
  expect(freeNetwork('10.1.0.0/18', 'acme', taken)).toBe('10.1.48.0/20');
  expect(freeNetwork('10.1.0.0/18', 'acme', [...taken, '10.1.48.0/20'])).toBeUndefined();
  expect(freeNetwork('10.1.0.0/18', 'acme', ['10.0.0.0/8'])).toBeUndefined();
});

test('a range that is none is named with the fix', () => {
  expect(() => freeNetwork('10.1.0.0', 'acme', [])).toThrow(
    '"10.1.0.0" is not an IPv4 block; give one such as 10.64.0.0/10',
  );
});
