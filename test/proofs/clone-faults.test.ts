import { describeFaults } from '../journeys/faults/cells.ts';
import { cloning } from '../journeys/faults/plays/clone-tenant.ts';

describeFaults(cloning);
