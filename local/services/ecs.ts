import { mkdirSync, readdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import type {
  CreateClusterRequest,
  DescribeClustersRequest,
  DescribeTaskDefinitionRequest,
  DescribeTasksRequest,
  ListTasksRequest,
  RegisterTaskDefinitionRequest,
  RunTaskRequest,
  StopTaskRequest,
  Task,
} from '@aws-sdk/client-ecs';
import * as client from '@aws-sdk/client-ecs';
import { openEcsStore } from '../ecs/store.ts';
import { openTasks, type TasksOptions } from '../ecs/tasks.ts';
import { type SchemaService, ServiceError } from '../gateway/service.ts';
import type { TaskRunner } from '../ports.ts';

export interface EcsOptions extends Omit<TasksOptions, 'store' | 'imageFile'> {
  /** Image name -> program. */
  readonly images: () => ReadonlyMap<string, string>;
}

export interface EcsService extends SchemaService {
  /** What Step Functions runs tasks by. */
  readonly runner: TaskRunner;
  close(): Promise<void>;
}

const name = (text: string | undefined): string => (text ?? 'default').split('/').at(-1) ?? 'default';

/**
 * Amazon ECS with the launch type FARGATE: a task is one container, and that is a process with its own environment, memory
 * cap and process group. An image is a program that the laptop knows by the image's name. Subnets and security groups are
 * asked for, as AWS does, and not looked up.
 */
export const createEcsService = (options: EcsOptions): EcsService => {
  const { directory, region, accountId } = options;
  mkdirSync(directory, { recursive: true });
  for (const left of readdirSync(directory).filter((entry) => entry.startsWith('task-')))
    rmSync(join(directory, left), { recursive: true, force: true });
  const store = openEcsStore(directory);
  const tasks = openTasks({ ...options, store, imageFile: (image) => options.images().get(image) });
  const prefix = `arn:aws:ecs:${region}:${accountId}`;
  const cluster = (clusterName: string) => ({
    clusterArn: `${prefix}:cluster/${clusterName}`,
    clusterName,
    status: 'ACTIVE',
    runningTasksCount: tasks
      .list()
      .filter((task) => name(task.clusterArn) === clusterName && task.lastStatus === 'RUNNING').length,
    pendingTasksCount: 0,
  });
  const inCluster = (asked: string | undefined): Task[] => {
    const wanted = name(asked);
    if (!store.clusters().includes(wanted)) throw new ServiceError('ClusterNotFoundException', 'Cluster not found.');
    return tasks.list().filter(({ clusterArn }) => name(clusterArn) === wanted);
  };
  const arnOf = (asked: string | undefined, task: string): string =>
    task.startsWith('arn:') ? task : `${prefix}:task/${name(asked)}/${task}`;
  return {
    kind: 'schema',
    signingName: 'ecs',
    protocol: 'awsJson1_1',
    client,
    operations: {
      CreateCluster: ({ clusterName = 'default' }: CreateClusterRequest) => {
        store.addCluster(clusterName);
        return { cluster: cluster(clusterName) };
      },
      DescribeClusters: ({ clusters = ['default'] }: DescribeClustersRequest) => {
        const known = store.clusters();
        const asked = clusters.map(name);
        return {
          clusters: asked.filter((one) => known.includes(one)).map(cluster),
          failures: asked
            .filter((one) => !known.includes(one))
            .map((one) => ({ arn: `${prefix}:cluster/${one}`, reason: 'MISSING' })),
        };
      },
      ListClusters: () => ({ clusterArns: store.clusters().map((one) => `${prefix}:cluster/${one}`) }),
      RegisterTaskDefinition: ({ family = '', tags: _, ...definition }: RegisterTaskDefinitionRequest) => {
        if (!/^[A-Za-z0-9_-]{1,255}$/.test(family))
          throw new ServiceError('ClientException', `Invalid family name ${JSON.stringify(family)}.`);
        if (definition.containerDefinitions?.length !== 1)
          throw new ServiceError('ClientException', 'containerDefinitions: the laptop runs one container a task.');
        const taskDefinition = store.register(family, (revision) => ({
          ...definition,
          family,
          revision,
          taskDefinitionArn: `${prefix}:task-definition/${family}:${revision}`,
          status: 'ACTIVE',
          registeredAt: new Date(),
        }));
        return { taskDefinition };
      },
      DescribeTaskDefinition: ({ taskDefinition = '' }: DescribeTaskDefinitionRequest) => {
        const found = store.definition(taskDefinition);
        if (!found) throw new ServiceError('ClientException', 'Unable to describe task definition.');
        return { taskDefinition: found };
      },
      RunTask: (request: RunTaskRequest) => ({ tasks: [tasks.run(request)], failures: [] }),
      DescribeTasks: ({ cluster: asked, tasks: arns = [] }: DescribeTasksRequest) => {
        const own = new Map(inCluster(asked).map((task) => [task.taskArn, task]));
        const wanted = arns.map((arn) => arnOf(asked, arn));
        return {
          tasks: wanted.flatMap((arn) => own.get(arn) ?? []),
          failures: wanted.filter((arn) => !own.has(arn)).map((arn) => ({ arn, reason: 'MISSING' })),
        };
      },
      ListTasks: ({ cluster: asked, family, desiredStatus = 'RUNNING', startedBy }: ListTasksRequest) => ({
        taskArns: inCluster(asked)
          .filter((task) => task.desiredStatus === desiredStatus)
          .filter((task) => family === undefined || task.group === `family:${family}`)
          .filter((task) => startedBy === undefined || task.startedBy === startedBy)
          .map(({ taskArn }) => taskArn),
      }),
      StopTask: ({ cluster: asked, task = '', reason = 'Task stopped by user' }: StopTaskRequest) => {
        inCluster(asked);
        return { task: tasks.stop(arnOf(asked, task), reason) };
      },
    },
    runner: {
      run: async (request) => tasks.run(request),
      stop: async (arn, reason) => {
        tasks.stop(arn, reason);
      },
      stopped: (arn) => tasks.stopped(arn),
    },
    close: async () => {
      await tasks.close();
      store.close();
    },
  };
};
