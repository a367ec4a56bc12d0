import { describeFaults } from './cells.ts';
import { restoring } from './plays/restore-tenant.ts';

describeFaults(restoring);
