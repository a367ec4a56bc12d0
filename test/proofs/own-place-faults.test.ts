import { describeFaults } from '../journeys/faults/cells.ts';
import { ownPlaces } from '../journeys/faults/plays/own-places.ts';

describeFaults(ownPlaces);
