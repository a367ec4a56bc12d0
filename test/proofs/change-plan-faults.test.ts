import { describeFaults } from '../journeys/faults/cells.ts';
import { planChange } from '../journeys/faults/plays/change-plan.ts';

describeFaults(planChange);
