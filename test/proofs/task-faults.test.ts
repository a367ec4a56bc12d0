import { rowTasks } from '../journeys/faults/plays/row-tasks.ts';
import { describeTaskFaults } from '../journeys/faults/task-cells.ts';

describeTaskFaults(rowTasks);
