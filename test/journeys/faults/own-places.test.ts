import { describeFaults } from './cells.ts';
import { someOwnPlaces } from './plays/own-places.ts';

// test/proofs/own-place-faults.test.ts has all of them.
describeFaults(someOwnPlaces);
