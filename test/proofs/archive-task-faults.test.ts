import { archiveTasks } from '../journeys/faults/plays/archive-tasks.ts';
import { describeTaskFaults } from '../journeys/faults/task-cells.ts';

describeTaskFaults(archiveTasks);
