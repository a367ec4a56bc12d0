import fc from 'fast-check';
import { expect, test } from 'vitest';
import { dumpRoute, dumpSeconds, lambdaDiskBytes, lambdaSeconds, largestLambdaDump } from '../../domain/dump-route.ts';

const bytes = fc.oneof(
  fc.integer({ min: 0, max: 2 ** 45 }),
  fc.integer({ min: -1_000, max: 1_000 }).map((near) => largestLambdaDump + near),
);
const localBytes = fc.oneof(
  fc.integer({ min: 0, max: 2 * lambdaDiskBytes }),
  fc.integer({ min: -2, max: 2 }).map((near) => lambdaDiskBytes + near),
);

test('a dump goes to Lambda exactly when it surely ends there: in half of its time and on its disk', () => {
  fc.assert(
    fc.property(bytes, localBytes, (size, local) => {
      const fits = 2 * dumpSeconds({ bytes: size }) <= lambdaSeconds && local <= lambdaDiskBytes;
      expect(dumpRoute({ bytes: size, localBytes: local })).toBe(fits ? 'lambda' : 'task');
    }),
  );
});

test('the boundary is sharp: one byte more is a task', () => {
  expect(dumpRoute({ bytes: largestLambdaDump })).toBe('lambda');
  expect(dumpRoute({ bytes: largestLambdaDump + 1 })).toBe('task');
  expect(dumpRoute({ bytes: 0, localBytes: lambdaDiskBytes })).toBe('lambda');
  expect(dumpRoute({ bytes: 0, localBytes: lambdaDiskBytes + 1 })).toBe('task');
});

test('a larger dump never goes back to Lambda', () => {
  fc.assert(
    fc.property(bytes, fc.integer({ min: 0, max: 2 ** 40 }), (size, more) => {
      if (dumpRoute({ bytes: size }) === 'task') expect(dumpRoute({ bytes: size + more })).toBe('task');
    }),
  );
});
