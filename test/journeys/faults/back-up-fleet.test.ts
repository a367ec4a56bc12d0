import { describeFaults } from './cells.ts';
import { fleetBackup } from './plays/back-up-fleet.ts';

describeFaults(fleetBackup);
