import { describeFaults } from './cells.ts';
import { offboarding } from './plays/deprovision-tenant.ts';

describeFaults(offboarding);
