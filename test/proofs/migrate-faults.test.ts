import { describeFaults } from '../journeys/faults/cells.ts';
import { migration } from '../journeys/faults/plays/migrate-tenant.ts';

describeFaults(migration);
