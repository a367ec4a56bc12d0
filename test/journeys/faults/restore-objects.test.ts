import { describeFaults } from './cells.ts';
import { objectFaults } from './restored-objects.ts';

/** Two or three faults of each step; test/proofs/restore-objects-faults.test.ts has all of them. */
describeFaults({
  ...objectFaults,
  some: {
    PlanObjects: ['late', 'unheard'],
    RestoreObjects: ['twice', 'after', 'unheard'],
    AwaitWorkload: ['before', 'refused'],
  },
});
