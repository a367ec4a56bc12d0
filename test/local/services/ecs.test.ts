import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import {
  CreateClusterCommand,
  DescribeTaskDefinitionCommand,
  DescribeTasksCommand,
  ECSClient,
  ListTasksCommand,
  RegisterTaskDefinitionCommand,
  RunTaskCommand,
  type RunTaskCommandInput,
  StopTaskCommand,
} from '@aws-sdk/client-ecs';
import {
  CreateStateMachineCommand,
  DescribeExecutionCommand,
  GetExecutionHistoryCommand,
  SFNClient,
  StartExecutionCommand,
  StopExecutionCommand,
} from '@aws-sdk/client-sfn';
import { describe, expect, test } from 'vitest';
import type { CredentialStore } from '../../../local/gateway/credentials.ts';
import { createEcsService } from '../../../local/services/ecs.ts';
import { createStatesService } from '../../../local/services/states.ts';
import { until } from '../../cloud.ts';
import { accountId, region } from '../gateway/account.ts';
import { openEndpoint, temporary } from '../gateway/endpoint.ts';

/** A container that does as its environment says: tells its process and environment, then waits, fails or ends. */
const program = `
import { writeFileSync } from 'node:fs';
writeFileSync(process.env.TOLD, JSON.stringify({ pid: process.pid, env: process.env, heap: process.execArgv }));
if (process.env.STUBBORN) process.on('SIGTERM', () => {});
if (process.env.WAIT) setInterval(() => {}, 1_000);
else process.exitCode = Number(process.env.CODE ?? 0);
`;

const refused = (): never => {
  throw new Error('not called here');
};

const open = async (given?: string) => {
  const home = given ?? (await temporary('ecs'));
  const file = join(home, 'program.mjs');
  writeFileSync(file, program);
  let engine: ReturnType<typeof createStatesService>;
  const endpoint = await openEndpoint(({ credentials, endpoint: address }) => {
    const ecs = createEcsService({
      directory: join(home, 'ecs'),
      region,
      accountId,
      credentials: credentials satisfies CredentialStore,
      endpoint: address,
      images: () => new Map([['tenantry/program', file]]),
      log: () => undefined,
    });
    engine = createStatesService({
      directory: home,
      region,
      accountId,
      integrations: {
        functions: { invoke: refused },
        events: { putEvents: refused },
        objects: { get: refused, put: refused, list: refused },
        tasks: ecs.runner,
      },
    });
    return [engine, ecs];
  });
  const client = new ECSClient(endpoint.config);
  const states = new SFNClient(endpoint.config);
  const told = join(home, 'told.json');
  await client.send(new CreateClusterCommand({ clusterName: 'tasks' }));
  await client.send(
    new RegisterTaskDefinitionCommand({
      family: 'work',
      cpu: '256',
      memory: '512',
      networkMode: 'awsvpc',
      requiresCompatibilities: ['FARGATE'],
      taskRoleArn: `arn:aws:iam::${accountId}:role/worker`,
      containerDefinitions: [
        {
          name: 'step',
          image: 'tenantry/program',
          stopTimeout: 2,
          environment: [
            { name: 'TOLD', value: told },
            { name: 'FROM', value: 'definition' },
          ],
        },
      ],
    }),
  );
  const request = (
    environment: Readonly<Record<string, string>> = {},
    more: Partial<RunTaskCommandInput> = {},
  ): RunTaskCommandInput => ({
    cluster: 'tasks',
    taskDefinition: 'work',
    launchType: 'FARGATE',
    networkConfiguration: { awsvpcConfiguration: { subnets: ['subnet-1'], securityGroups: ['sg-1'] } },
    overrides: {
      containerOverrides: [
        { name: 'step', environment: Object.entries(environment).map(([name, value]) => ({ name, value })) },
      ],
    },
    ...more,
  });
  const run = async (environment?: Readonly<Record<string, string>>, more?: Partial<RunTaskCommandInput>) =>
    (await client.send(new RunTaskCommand(request(environment, more)))).tasks![0]!;
  const look = async (arn: string) =>
    (await client.send(new DescribeTasksCommand({ cluster: 'tasks', tasks: [arn] }))).tasks![0]!;
  const stopped = (arn: string) =>
    until('the task stops', async () => {
      const task = await look(arn);
      return task.lastStatus === 'STOPPED' ? task : undefined;
    });
  const hears = () =>
    until('the program speaks', async () => {
      try {
        return JSON.parse(readFileSync(told, 'utf8')) as {
          pid: number;
          env: Record<string, string>;
          heap: string[];
        };
      } catch {
        return undefined;
      }
    });
  return { home, client, states, request, run, look, stopped, hears, resume: () => engine.resume() };
};

const isAlive = (pid: number): boolean => {
  try {
    process.kill(pid, 0);
    return true;
  } catch {
    return false;
  }
};

const gone = (pid: number) => until('the process is gone', async () => (isAlive(pid) ? undefined : true));

describe('a task', () => {
  test('runs its container as a process with the environment of definition and override, and nothing of ours', async () => {
    process.env.OF_OURS = 'secret';
    const { run, stopped, hears, client } = await open();
    const { taskArn } = await run({ FROM: 'override' });
    expect(await stopped(taskArn!)).toMatchObject({
      stopCode: 'EssentialContainerExited',
      stoppedReason: 'Essential container in task exited',
      containers: [{ name: 'step', lastStatus: 'STOPPED', exitCode: 0 }],
    });
    const { env, heap } = await hears();
    expect(env).toMatchObject({ FROM: 'override', AWS_REGION: region, AWS_EXECUTION_ENV: 'AWS_ECS_FARGATE' });
    expect(env.AWS_SESSION_TOKEN).toBeTruthy();
    expect(env.OF_OURS).toBeUndefined();
    expect(heap).toEqual(['--max-old-space-size=512']);
    const list = async (desiredStatus: 'RUNNING' | 'STOPPED') =>
      (await client.send(new ListTasksCommand({ cluster: 'tasks', desiredStatus }))).taskArns;
    expect([await list('RUNNING'), await list('STOPPED')]).toEqual([[], [taskArn]]);
  });

  test('tells the exit code of a container that failed', async () => {
    const { run, stopped } = await open();
    const { taskArn } = await run({ CODE: '3' });
    expect((await stopped(taskArn!)).containers).toMatchObject([{ exitCode: 3 }]);
  });

  test.each([
    ['at once, by SIGTERM', {}, 143],
    ['after its stop time-out, by SIGKILL, where it does not listen', { STUBBORN: '1' }, 137],
  ])('is stopped %s', async (_how, more, exitCode) => {
    const { run, stopped, hears, client } = await open();
    const { taskArn } = await run({ WAIT: '1', ...more });
    const { pid } = await hears();
    const { task } = await client.send(new StopTaskCommand({ cluster: 'tasks', task: taskArn, reason: 'enough' }));
    expect(task).toMatchObject({ desiredStatus: 'STOPPED', stoppedReason: 'enough', stopCode: 'UserInitiated' });
    expect(await stopped(taskArn!)).toMatchObject({ stoppedReason: 'enough', containers: [{ exitCode }] });
    await gone(pid);
  });

  test('that is asked for twice with one token runs once', async () => {
    const { run, stopped } = await open();
    const [one, other] = [await run({}, { clientToken: 'a' }), await run({}, { clientToken: 'a' })];
    expect(other.taskArn).toBe(one.taskArn);
    await stopped(one.taskArn!);
  });

  test('whose image the laptop does not have fails to start', async () => {
    const { client, run, stopped } = await open();
    await client.send(
      new RegisterTaskDefinitionCommand({ family: 'work', containerDefinitions: [{ name: 'step', image: 'nginx' }] }),
    );
    const { taskArn } = await run();
    expect(await stopped(taskArn!)).toMatchObject({
      stopCode: 'TaskFailedToStart',
      stoppedReason: expect.stringContaining('nginx'),
    });
    expect(
      (await client.send(new DescribeTaskDefinitionCommand({ taskDefinition: 'work' }))).taskDefinition,
    ).toMatchObject({
      revision: 2,
    });
  });

  test.each<[string, Partial<RunTaskCommandInput>, string]>([
    ['a cluster that is not there', { cluster: 'other' }, 'ClusterNotFoundException'],
    ['a definition that is not there', { taskDefinition: 'other' }, 'ClientException'],
    ['no subnets', { networkConfiguration: {} }, 'InvalidParameterException'],
    ['another launch type', { launchType: 'EC2' }, 'InvalidParameterException'],
    [
      'an override of no container',
      { overrides: { containerOverrides: [{ name: 'x' }] } },
      'InvalidParameterException',
    ],
    [
      'overrides of more than 8,192 characters',
      { overrides: { containerOverrides: [{ name: 'step', command: ['x'.repeat(8_192)] }] } },
      'InvalidParameterException',
    ],
  ])('is refused with %s', async (_what, more, name) => {
    const { run } = await open();
    await expect(run({}, more)).rejects.toMatchObject({ name });
  });
});

describe('a state that runs a task and waits for it', () => {
  const start = async (
    { states, request }: Awaited<ReturnType<typeof open>>,
    environment: Record<string, string>,
    more: object = {},
  ) => {
    const { cluster, taskDefinition, networkConfiguration } = request();
    const Arguments = {
      Cluster: cluster,
      TaskDefinition: taskDefinition,
      LaunchType: 'FARGATE',
      NetworkConfiguration: {
        AwsvpcConfiguration: { Subnets: networkConfiguration!.awsvpcConfiguration!.subnets },
      },
      Overrides: {
        ContainerOverrides: [
          { Name: 'step', Environment: Object.entries(environment).map(([Name, Value]) => ({ Name, Value })) },
        ],
      },
    };
    const definition = JSON.stringify({
      QueryLanguage: 'JSONata',
      StartAt: 'Work',
      States: {
        Work: { Type: 'Task', Resource: 'arn:aws:states:::ecs:runTask.sync', Arguments, End: true, ...more },
      },
    });
    const { stateMachineArn } = await states.send(
      new CreateStateMachineCommand({ name: 'work', definition, roleArn: `arn:aws:iam::${accountId}:role/states` }),
    );
    return (await states.send(new StartExecutionCommand({ stateMachineArn }))).executionArn!;
  };
  const ended = (states: SFNClient, executionArn: string) =>
    until('the execution ends', async () => {
      const execution = await states.send(new DescribeExecutionCommand({ executionArn }));
      return execution.status === 'RUNNING' ? undefined : execution;
    });

  test('answers the stopped task in the words of Step Functions', async () => {
    const laptop = await open();
    const executionArn = await start(laptop, {});
    const { status, output } = await ended(laptop.states, executionArn);
    expect(status).toBe('SUCCEEDED');
    expect(JSON.parse(output!)).toMatchObject({
      LastStatus: 'STOPPED',
      StopCode: 'EssentialContainerExited',
      Containers: [{ Name: 'step', ExitCode: 0 }],
    });
    const { events } = await laptop.states.send(new GetExecutionHistoryCommand({ executionArn }));
    expect(events!.map(({ type }) => type)).toEqual([
      'ExecutionStarted',
      'TaskStateEntered',
      'TaskScheduled',
      'TaskStarted',
      'TaskSubmitted',
      'TaskSucceeded',
      'TaskStateExited',
      'ExecutionSucceeded',
    ]);
  });

  test('fails with States.TaskFailed and the task as cause when the container does', async () => {
    const laptop = await open();
    const { status, error, cause } = await ended(laptop.states, await start(laptop, { CODE: '1' }));
    expect([status, error]).toEqual(['FAILED', 'States.TaskFailed']);
    expect(JSON.parse(cause!)).toMatchObject({ Containers: [{ ExitCode: 1 }] });
  });

  test('fails with the name of ECS when ECS refuses the request', async () => {
    const laptop = await open();
    const { error } = await ended(laptop.states, await start(laptop, { LONG: 'x'.repeat(9_000) }));
    expect(error).toBe('ECS.InvalidParameterException');
  });

  test('stops the task when the execution is stopped', async () => {
    const laptop = await open();
    const executionArn = await start(laptop, { WAIT: '1' });
    const { pid } = await laptop.hears();
    await laptop.states.send(new StopExecutionCommand({ executionArn }));
    await gone(pid);
  });

  test('stops the task when its own time is over', async () => {
    const laptop = await open();
    const executionArn = await start(laptop, { WAIT: '1' }, { TimeoutSeconds: 2 });
    const { pid } = await laptop.hears();
    expect((await ended(laptop.states, executionArn)).error).toBe('States.Timeout');
    await gone(pid);
  });
});

test('a task that ran when the cloud ended is over in its next life', async () => {
  const home = await temporary('ecs');
  const first = await open(home);
  const { taskArn } = await first.run({ WAIT: '1' });
  const { pid } = await first.hears();
  process.kill(pid, 'SIGKILL');
  expect(await first.stopped(taskArn!)).toMatchObject({ containers: [{ exitCode: 137 }] });
  const left = await first.run({ WAIT: '1' });
  const second = await open(home);
  expect(await second.look(left.taskArn!)).toMatchObject({
    lastStatus: 'STOPPED',
    stoppedReason: expect.stringContaining('cloud'),
  });
});
