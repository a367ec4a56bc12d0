import { randomBytes } from 'node:crypto';
import { mkdtempSync } from 'node:fs';
import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import type { ContainerDefinition, RunTaskRequest, Task, TaskDefinition } from '@aws-sdk/client-ecs';
import type { CredentialStore } from '../gateway/credentials.ts';
import { ServiceError } from '../gateway/service.ts';
import { credentialLifetime } from '../lambda/limits.ts';
import { startReaper } from '../lambda/reaper.ts';
import { type Container, startContainer } from './container.ts';
import type { EcsStore } from './store.ts';

export interface TasksOptions {
  readonly directory: string;
  readonly region: string;
  readonly accountId: string;
  readonly store: EcsStore;
  readonly credentials: CredentialStore;
  readonly endpoint: () => string;
  /** The program behind an image's name; undefined where the laptop has none. */
  readonly imageFile: (image: string) => string | undefined;
  readonly log: (line: string) => void;
}

export interface Tasks {
  /** Starts the task, or answers the one that was started with the same client token. Throws as RunTask does. */
  run(request: RunTaskRequest): Task;
  stop(arn: string, reason: string): Task;
  find(arn: string): Task | undefined;
  /** Resolves with the task once it is STOPPED. */
  stopped(arn: string): Promise<Task>;
  list(): Task[];
  close(): Promise<void>;
}

const invalid = (message: string): ServiceError => new ServiceError('InvalidParameterException', message);

const clusterName = (cluster: string | undefined): string => (cluster ?? 'default').split('/').at(-1) ?? 'default';

/** All of a container's overrides together may have 8,192 characters (AWS). */
const overrideLimit = 8_192;

const environmentOf = (container: ContainerDefinition, request: RunTaskRequest): Record<string, string> => {
  const overrides = request.overrides?.containerOverrides ?? [];
  if (JSON.stringify(overrides).length > overrideLimit)
    throw invalid(`Container Overrides length must be at most ${overrideLimit}`);
  const unknown = overrides.find(({ name }) => name !== container.name);
  if (unknown) throw invalid(`Override for container named ${unknown.name} is not a container in the TaskDefinition.`);
  const pairs = [...(container.environment ?? []), ...overrides.flatMap(({ environment }) => environment ?? [])];
  return Object.fromEntries(pairs.map(({ name, value }) => [name ?? '', value ?? '']));
};

/**
 * Fargate tasks as processes: one container each. A task that runs when the cloud ends is over with it; the next life says so
 * of it, as ECS does of a task whose host is gone.
 */
export const openTasks = (options: TasksOptions): Tasks => {
  const { directory, region, accountId, store, credentials, endpoint, imageFile, log } = options;
  const reaper = startReaper();
  const running = new Map<string, { container: Container; ended: Promise<void> }>();
  const waiting = new Map<string, ((task: Task) => void)[]>();

  const save = (task: Task, clientToken?: string): void => {
    const token = clientToken ?? store.task(task.taskArn ?? '')?.clientToken;
    store.save({ task, clientToken: token });
    if (task.lastStatus !== 'STOPPED') return;
    for (const resolve of waiting.get(task.taskArn ?? '') ?? []) resolve(task);
    waiting.delete(task.taskArn ?? '');
  };
  const end = (task: Task, change: Partial<Task>, exitCode: number | undefined): void => {
    const stoppedAt = new Date();
    save({
      ...task,
      lastStatus: 'STOPPED',
      desiredStatus: 'STOPPED',
      stoppingAt: task.stoppingAt ?? stoppedAt,
      executionStoppedAt: stoppedAt,
      stoppedAt,
      ...change,
      containers: (task.containers ?? []).map((container) => ({ ...container, lastStatus: 'STOPPED', exitCode })),
    });
  };
  for (const { task } of store.tasks())
    if (task.lastStatus !== 'STOPPED')
      end(task, { stopCode: 'TerminationNotice', stoppedReason: 'the laptop cloud that ran it has ended' }, undefined);

  const launch = (
    task: Task,
    definition: TaskDefinition,
    container: ContainerDefinition,
    request: RunTaskRequest,
  ): void => {
    const arn = task.taskArn ?? '';
    const file = imageFile(container.image ?? '');
    if (file === undefined) {
      const stoppedReason = `CannotPullContainerError: the laptop has no image ${container.image}`;
      end(task, { stopCode: 'TaskFailedToStart', stoppedReason }, undefined);
      return;
    }
    const scratch = mkdtempSync(join(directory, 'task-'));
    const role = definition.taskRoleArn?.split('/').at(-1) ?? definition.family ?? 'task';
    const minted = credentials.mint(
      `arn:aws:sts::${accountId}:assumed-role/${role}/${arn.split('/').at(-1)}`,
      credentialLifetime,
    );
    const started = startContainer({
      file,
      environment: {
        LANG: 'en_US.UTF-8',
        TZ: 'UTC',
        PATH: process.env.PATH ?? '/usr/local/bin:/usr/bin:/bin',
        TMPDIR: scratch,
        ...environmentOf(container, request),
        AWS_REGION: region,
        AWS_ACCESS_KEY_ID: minted.accessKeyId,
        AWS_SECRET_ACCESS_KEY: minted.secretAccessKey,
        AWS_SESSION_TOKEN: minted.sessionToken,
        AWS_ENDPOINT_URL: endpoint(),
        AWS_EXECUTION_ENV: 'AWS_ECS_FARGATE',
      },
      workingDirectory: scratch,
      memory: Number(definition.memory ?? container.memory ?? 512),
      log: (line) => log(`${definition.family}: ${line}`),
      reaper,
    });
    const ended = started.ended.then(async ({ exitCode }) => {
      await rm(scratch, { recursive: true, force: true });
      const last = store.task(arn)?.task ?? task;
      const reason = last.stopCode
        ? {}
        : { stopCode: 'EssentialContainerExited' as const, stoppedReason: 'Essential container in task exited' };
      end(last, reason, exitCode);
      running.delete(arn);
    });
    running.set(arn, { container: started, ended });
  };

  const run = (request: RunTaskRequest): Task => {
    const cluster = clusterName(request.cluster);
    if (!store.clusters().includes(cluster)) throw new ServiceError('ClusterNotFoundException', 'Cluster not found.');
    const known = request.clientToken === undefined ? undefined : store.taskOf(request.clientToken);
    if (known) return known.task;
    const definition = store.definition(request.taskDefinition ?? '');
    const container = definition?.containerDefinitions?.[0];
    if (!definition || !container) throw new ServiceError('ClientException', 'TaskDefinition not found.');
    if ((request.count ?? 1) !== 1) throw invalid('count: the laptop runs one task for each request');
    if ((request.launchType ?? 'FARGATE') !== 'FARGATE') throw invalid('launchType: the laptop has FARGATE alone');
    if (!request.networkConfiguration?.awsvpcConfiguration?.subnets?.length)
      throw invalid("Network Configuration must be provided when networkMode 'awsvpc' is specified.");
    environmentOf(container, request);
    const id = randomBytes(16).toString('hex');
    const prefix = `arn:aws:ecs:${region}:${accountId}`;
    const taskArn = `${prefix}:task/${cluster}/${id}`;
    const task: Task = {
      taskArn,
      clusterArn: `${prefix}:cluster/${cluster}`,
      taskDefinitionArn: definition.taskDefinitionArn,
      containers: [
        {
          containerArn: `${prefix}:container/${cluster}/${id}/${randomBytes(8).toString('hex')}`,
          taskArn,
          name: container.name,
          image: container.image,
          lastStatus: 'RUNNING',
        },
      ],
      cpu: definition.cpu,
      memory: definition.memory,
      createdAt: new Date(),
      startedAt: new Date(),
      desiredStatus: 'RUNNING',
      lastStatus: 'RUNNING',
      launchType: 'FARGATE',
      platformVersion: '1.4.0',
      group: request.group ?? `family:${definition.family}`,
      startedBy: request.startedBy,
      overrides: request.overrides ?? {},
    };
    // On disk before the process is there: a kill in between leaves a task that the next life ends, never an unknown process.
    save(task, request.clientToken);
    launch(task, definition, container, request);
    return store.task(taskArn)?.task ?? task;
  };
  const find = (arn: string): Task | undefined => store.task(arn)?.task;
  return {
    run,
    find,
    stop: (arn, reason) => {
      const task = find(arn);
      if (!task) throw invalid('The referenced task was not found.');
      if (task.lastStatus === 'STOPPED' || task.stopCode) return task;
      save({
        ...task,
        desiredStatus: 'STOPPED',
        stopCode: 'UserInitiated',
        stoppedReason: reason,
        stoppingAt: new Date(),
      });
      // 30 s is Fargate's stopTimeout where the definition has none.
      const grace = store.definition(task.taskDefinitionArn ?? '')?.containerDefinitions?.[0]?.stopTimeout ?? 30;
      running.get(arn)?.container.stop(grace);
      return find(arn) ?? task;
    },
    stopped: (arn) => {
      const task = find(arn);
      if (!task) return Promise.reject(invalid('The referenced task was not found.'));
      if (task.lastStatus === 'STOPPED') return Promise.resolve(task);
      return new Promise((resolve) => waiting.set(arn, [...(waiting.get(arn) ?? []), resolve]));
    },
    list: () => store.tasks().map(({ task }) => task),
    close: async () => {
      const open = [...running.values()];
      for (const { container } of open) container.kill();
      await Promise.all(open.map(({ ended }) => ended));
      reaper.close();
    },
  };
};
