import { CreateClusterCommand, type ECSClient, RegisterTaskDefinitionCommand } from '@aws-sdk/client-ecs';
import { type Environment, environmentOf, taskContainer, taskFamily, tasksCluster } from '../../domain/deployment.ts';
import { type TaskStep, tasks } from '../../domain/task-steps.ts';
import { steps } from '../../domain/workflows.ts';
import type { Target } from './target.ts';

/** Name under which the laptop knows the image that AWS builds from lib/images/postgres-clients.Dockerfile. */
export const taskImage = 'tenantry/postgres-clients';

/** The cluster and a definition for each step that may run as a task, as lib/tasks.ts makes them. */
export const createTasks = async (ecs: ECSClient, target: Target, environment: Environment): Promise<void> => {
  await ecs.send(new CreateClusterCommand({ clusterName: tasksCluster }));
  for (const step of Object.keys(tasks) as TaskStep[]) {
    const { seconds, cpu, memory } = tasks[step];
    const variables = { ...environmentOf(steps[step], environment), STEP: step, STEP_SECONDS: String(seconds) };
    await ecs.send(
      new RegisterTaskDefinitionCommand({
        family: taskFamily(step),
        requiresCompatibilities: ['FARGATE'],
        networkMode: 'awsvpc',
        cpu: String(cpu),
        memory: String(memory),
        taskRoleArn: `arn:aws:iam::${target.accountId}:role/${taskFamily(step)}`,
        containerDefinitions: [
          {
            name: taskContainer,
            image: taskImage,
            essential: true,
            environment: Object.entries(variables).map(([name, value]) => ({ name, value })),
          },
        ],
      }),
    );
  }
};
