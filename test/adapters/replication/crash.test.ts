import { describe, test } from 'vitest';
import { surviveCrash, useCrashWorlds } from './crash.ts';

const thrown = ['caught-up', 'fenced', 'held', 'switched', 'opened'] as const;

const world = useCrashWorlds();

describe('a cut-over that dies ends with one active side, and a repeat finishes it', () => {
  // The whole matrix is test/proofs/moves.test.ts; these are the worst moments of each.
  test.each(thrown)('at %s, by an error in its own process', async (step) => {
    await surviveCrash(world(), 'throw', step);
  });

  test.each([
    ['orchestrator', 'held'],
    ['orchestrator', 'switched'],
    ['walsender', 'fenced'],
    ['applier', 'fenced'],
    ['target', 'switched'],
    ['source', 'held'],
  ] as const)('by kill -9 of the %s at %s', async (victim, step) => {
    await surviveCrash(world(), victim, step);
  });
});
