import { describeFaults } from './cells.ts';
import { backup } from './plays/back-up-tenant.ts';

describeFaults(backup);
