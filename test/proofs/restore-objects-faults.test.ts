import { describeFaults } from '../journeys/faults/cells.ts';
import { objectFaults } from '../journeys/faults/restored-objects.ts';

describeFaults(objectFaults);
