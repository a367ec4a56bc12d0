import { describeFaults } from './cells.ts';
import { signup } from './plays/provision-tenant.ts';

describeFaults(signup);
