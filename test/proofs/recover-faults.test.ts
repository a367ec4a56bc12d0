import { describeFaults } from '../journeys/faults/cells.ts';
import { recovery } from '../journeys/faults/plays/recover-point-in-time.ts';

describeFaults(recovery);
