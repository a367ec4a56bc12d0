import {
  DescribeTaskDefinitionCommand,
  ListTasksCommand,
  RegisterTaskDefinitionCommand,
  type RunTaskCommandInput,
  StopTaskCommand,
} from '@aws-sdk/client-ecs';
import { describe, expect, test } from 'vitest';
import { openEcs } from '../ecs/laptop-ecs.ts';
import { region } from '../gateway/account.ts';
import { temporary } from '../gateway/endpoint.ts';
import { gone } from '../processes.ts';

describe('a task', () => {
  test('runs its container as a process with the environment of definition and override, and nothing of ours', async () => {
    process.env.OF_OURS = 'secret';
    const { run, stopped, hears, client } = await openEcs();
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
    const { run, stopped } = await openEcs();
    const { taskArn } = await run({ CODE: '3' });
    expect((await stopped(taskArn!)).containers).toMatchObject([{ exitCode: 3 }]);
  });

  test.each([
    ['at once, by SIGTERM', {}, 143],
    ['after its stop time-out, by SIGKILL, where it does not listen', { STUBBORN: '1' }, 137],
  ])('is stopped %s', async (_how, more, exitCode) => {
    const { run, stopped, hears, client } = await openEcs();
    const { taskArn } = await run({ WAIT: '1', ...more });
    const { pid } = await hears();
    const { task } = await client.send(new StopTaskCommand({ cluster: 'tasks', task: taskArn, reason: 'enough' }));
    expect(task).toMatchObject({ desiredStatus: 'STOPPED', stoppedReason: 'enough', stopCode: 'UserInitiated' });
    expect(await stopped(taskArn!)).toMatchObject({ stoppedReason: 'enough', containers: [{ exitCode }] });
    await gone(pid);
  });

  test('that is asked for twice with one token runs once', async () => {
    const { run, stopped } = await openEcs();
    const [one, other] = [await run({}, { clientToken: 'a' }), await run({}, { clientToken: 'a' })];
    expect(other.taskArn).toBe(one.taskArn);
    await stopped(one.taskArn!);
  });

  test('whose image the laptop does not have fails to start', async () => {
    const { client, run, stopped } = await openEcs();
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
    const { run } = await openEcs();
    await expect(run({}, more)).rejects.toMatchObject({ name });
  });
});

test('a task that ran when the cloud ended is over in its next life', async () => {
  const home = await temporary('ecs');
  const first = await openEcs(home);
  const { taskArn } = await first.run({ WAIT: '1' });
  const { pid } = await first.hears();
  process.kill(pid, 'SIGKILL');
  expect(await first.stopped(taskArn!)).toMatchObject({ containers: [{ exitCode: 137 }] });
  const left = await first.run({ WAIT: '1' });
  const second = await openEcs(home);
  expect(await second.look(left.taskArn!)).toMatchObject({
    lastStatus: 'STOPPED',
    stoppedReason: expect.stringContaining('cloud'),
  });
});
