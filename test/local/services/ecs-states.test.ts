import {
  CreateStateMachineCommand,
  DescribeExecutionCommand,
  GetExecutionHistoryCommand,
  type SFNClient,
  StartExecutionCommand,
  StopExecutionCommand,
} from '@aws-sdk/client-sfn';
import { describe, expect, test } from 'vitest';
import { until } from '../../cloud.ts';
import { type LaptopEcs, openEcs } from '../ecs/laptop-ecs.ts';
import { accountId } from '../gateway/account.ts';
import { gone } from '../processes.ts';

describe('a state that runs a task and waits for it', () => {
  const start = async ({ states, request }: LaptopEcs, environment: Record<string, string>, more: object = {}) => {
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
    const laptop = await openEcs();
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
    const laptop = await openEcs();
    const { status, error, cause } = await ended(laptop.states, await start(laptop, { CODE: '1' }));
    expect([status, error]).toEqual(['FAILED', 'States.TaskFailed']);
    expect(JSON.parse(cause!)).toMatchObject({ Containers: [{ ExitCode: 1 }] });
  });

  test('fails with the name of ECS when ECS refuses the request', async () => {
    const laptop = await openEcs();
    const { error } = await ended(laptop.states, await start(laptop, { LONG: 'x'.repeat(9_000) }));
    expect(error).toBe('ECS.InvalidParameterException');
  });

  test('stops the task when the execution is stopped', async () => {
    const laptop = await openEcs();
    const executionArn = await start(laptop, { WAIT: '1' });
    const { pid } = await laptop.hears();
    await laptop.states.send(new StopExecutionCommand({ executionArn }));
    await gone(pid);
  });

  test('stops the task when its own time is over', async () => {
    const laptop = await openEcs();
    const executionArn = await start(laptop, { WAIT: '1' }, { TimeoutSeconds: 2 });
    const { pid } = await laptop.hears();
    expect((await ended(laptop.states, executionArn)).error).toBe('States.Timeout');
    await gone(pid);
  });
});
