import fc from 'fast-check';
import { expect, test } from 'vitest';
import {
  lambdaDiskBytes,
  lambdaSeconds,
  largestLambdaStep,
  stepBytesPerSecond,
  stepRoute,
} from '../../domain/step-route.ts';

const passes = fc.integer({ min: 1, max: 4 });
const bytes = fc.oneof(
  fc.integer({ min: 0, max: 2 ** 45 }),
  fc
    .tuple(passes, fc.integer({ min: -1_000, max: 1_000 }))
    .map(([times, near]) => Math.floor(largestLambdaStep / times) + near),
);
const localBytes = fc.oneof(
  fc.integer({ min: 0, max: 2 * lambdaDiskBytes }),
  fc.integer({ min: -2, max: 2 }).map((near) => lambdaDiskBytes + near),
);

test('a step goes to Lambda exactly when it surely ends there: in half of its time and on its disk', () => {
  fc.assert(
    fc.property(bytes, passes, localBytes, (size, times, local) => {
      const fits = 2 * times * size <= lambdaSeconds * stepBytesPerSecond && local <= lambdaDiskBytes;
      expect(stepRoute({ bytes: size, passes: times, localBytes: local })).toBe(fits ? 'lambda' : 'task');
    }),
  );
});

test('the boundary is sharp: one byte more is a task', () => {
  expect(stepRoute({ bytes: largestLambdaStep })).toBe('lambda');
  expect(stepRoute({ bytes: largestLambdaStep + 1 })).toBe('task');
  expect(stepRoute({ bytes: largestLambdaStep / 2, passes: 2 })).toBe('lambda');
  expect(stepRoute({ bytes: largestLambdaStep / 2 + 1, passes: 2 })).toBe('task');
  expect(stepRoute({ bytes: 0, localBytes: lambdaDiskBytes })).toBe('lambda');
  expect(stepRoute({ bytes: 0, localBytes: lambdaDiskBytes + 1 })).toBe('task');
});

test('a larger step, or one that goes through the rows again, never goes back to Lambda', () => {
  fc.assert(
    fc.property(bytes, passes, fc.integer({ min: 0, max: 2 ** 40 }), (size, times, more) => {
      if (stepRoute({ bytes: size, passes: times }) === 'lambda') return;
      expect(stepRoute({ bytes: size + more, passes: times })).toBe('task');
      expect(stepRoute({ bytes: size, passes: times + 1 })).toBe('task');
    }),
  );
});
