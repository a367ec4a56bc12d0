import { fork } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, describe, expect, test } from 'vitest';
import type { ServiceEvent } from '../../../local/ports.ts';
import { functionArn, type Laptop, type LaptopOptions, only, openLaptop } from './laptop.ts';

interface Told extends ServiceEvent {
  readonly detail: Readonly<Record<string, unknown>>;
}

const open: Laptop[] = [];
afterEach(() => {
  for (const laptop of open.splice(0)) laptop.close();
});

/** A laptop whose bus keeps what it is told; `told` resolves once that are so many. */
const listening = (options: LaptopOptions = {}) => {
  const events: Told[] = [];
  const waiting = new Set<() => void>();
  const laptop = openLaptop({
    tell: async (event) => {
      events.push(event as Told);
      for (const look of waiting) look();
    },
    ...options,
  });
  open.push(laptop);
  const told = (count: number): Promise<readonly Told[]> =>
    new Promise((resolve) => {
      const look = (): void => {
        if (events.length < count) return;
        waiting.delete(look);
        resolve(events);
      };
      waiting.add(look);
      look();
    });
  return { laptop, events, told };
};

const statuses = (events: readonly Told[]): unknown[] => events.map(({ detail }) => detail.status);

describe('a change of status is told', () => {
  test('in the shape that AWS gives it, at the start and at the end', async () => {
    const { laptop, told } = listening();
    const { arn } = await laptop.run(only({ Type: 'Pass', Output: { done: true } }), { n: 1 });
    const [started, ended] = await told(2);
    const shared = {
      executionArn: arn,
      stateMachineArn: 'arn:aws:states:eu-central-1:000000000000:stateMachine:machine-1',
      stateMachineVersionArn: null,
      stateMachineAliasArn: null,
      name: arn.split(':').at(-1),
      startDate: expect.any(Number),
      input: '{"n":1}',
      inputDetails: { included: true },
      error: null,
      cause: null,
      redriveCount: 0,
      redriveDate: null,
      redriveStatus: 'NOT_REDRIVABLE',
    };
    expect(started).toEqual({
      id: expect.stringMatching(/^[0-9a-f-]{36}$/),
      source: 'aws.states',
      detailType: 'Step Functions Execution Status Change',
      time: started!.detail.startDate,
      resources: [arn],
      detail: {
        ...shared,
        status: 'RUNNING',
        stopDate: null,
        output: null,
        outputDetails: null,
        redriveStatusReason: 'Execution is RUNNING and cannot be redriven',
      },
    });
    expect(ended!.detail).toEqual({
      ...shared,
      status: 'SUCCEEDED',
      stopDate: ended!.time,
      output: '{"done":true}',
      outputDetails: { included: true },
      redriveStatusReason: 'Execution is SUCCEEDED and cannot be redriven',
    });
  });

  test('with error and cause of a failure, and again when it is redriven', async () => {
    const { laptop, told } = listening();
    const { arn } = await laptop.run(only({ Type: 'Fail', Error: 'Broken', Cause: 'why', End: undefined }));
    await laptop.call('RedriveExecution', { executionArn: arn });
    const events = await told(4);
    expect(statuses(events)).toEqual(['RUNNING', 'FAILED', 'RUNNING', 'FAILED']);
    expect(events[1]!.detail).toMatchObject({
      error: 'Broken',
      cause: 'why',
      output: null,
      redriveStatus: 'REDRIVABLE',
    });
    expect(events[2]!.detail).toMatchObject({ redriveCount: 1, stopDate: null });
  });

  test('of an execution that was stopped and of one that ran out of time', async () => {
    const { laptop, told } = listening();
    const wait = { Type: 'Wait', Seconds: 3_600 };
    const stopped = await laptop.start(await laptop.create('stopped', only(wait)));
    await laptop.call('StopExecution', { executionArn: stopped, error: 'Enough', cause: 'by hand' });
    await laptop.ended(await laptop.start(await laptop.create('late', { ...only(wait), TimeoutSeconds: 1 })));
    const events = await told(4);
    expect(events.map(({ detail }) => [detail.status, detail.error, detail.cause])).toEqual([
      ['RUNNING', null, null],
      ['ABORTED', 'Enough', 'by hand'],
      ['RUNNING', null, null],
      ['TIMED_OUT', null, null],
    ]);
  });

  test('of the children of a distributed Map, under the machine that exists only in their ARNs', async () => {
    const { laptop, told } = listening();
    await laptop.run(
      only({
        Type: 'Map',
        Label: 'Each',
        Items: [1, 2],
        ItemProcessor: {
          ProcessorConfig: { Mode: 'DISTRIBUTED', ExecutionType: 'STANDARD' },
          StartAt: 'Item',
          States: { Item: { Type: 'Pass', End: true } },
        },
      }),
    );
    const machines = (await told(6)).map(({ detail }) => String(detail.stateMachineArn).split(':').at(-1));
    expect(machines.filter((name) => name === 'machine-1/Each')).toHaveLength(4);
  });

  test('without input where input and output together are too long for an event', async () => {
    const { laptop, told } = listening({ handlers: { long: () => 'y'.repeat(200_000) } });
    await laptop.run(only({ Type: 'Task', Resource: functionArn('long') }), { x: 'x'.repeat(100_000) });
    const [started, ended] = await told(2);
    expect(started!.detail).toMatchObject({ inputDetails: { included: true } });
    expect(ended!.detail).toMatchObject({
      input: null,
      inputDetails: { included: false },
      output: expect.stringContaining('yyy'),
      outputDetails: { included: true },
    });
  });

  test('again, under the same id, until the bus has taken it, and in order', async () => {
    const seen: Told[] = [];
    const { promise, resolve } = Promise.withResolvers<void>();
    const { laptop } = listening({
      tell: async (event) => {
        seen.push(event as Told);
        if (seen.length === 1) throw new Error('the bus is away');
        if (seen.length === 3) resolve();
      },
    });
    await laptop.run(only({ Type: 'Pass' }));
    await promise;
    expect(statuses(seen)).toEqual(['RUNNING', 'RUNNING', 'SUCCEEDED']);
    expect(seen[1]!.id).toBe(seen[0]!.id);
  });
});

test('a kill -9 between the end of an execution and its telling loses no event', async () => {
  const directory = mkdtempSync(join(tmpdir(), 'status-'));
  const live = (life: string) => {
    const child = fork(join(import.meta.dirname, 'status-life.ts'), [directory, life]);
    const events: Told[] = [];
    child.on('message', (event: Told) => events.push(event));
    const until = async (status: string): Promise<Told> => {
      for (;;) {
        const told = events.find(({ detail }) => detail.status === status);
        if (told) return told;
        await once(child, 'message');
      }
    };
    const kill = async (): Promise<void> => {
      const gone = once(child, 'exit');
      child.kill('SIGKILL');
      await gone;
    };
    return { until, kill };
  };
  try {
    const first = live('first');
    const cutOff = await first.until('FAILED');
    await first.kill();
    const second = live('second');
    // What was told of the start may come again before it: that it was told had not been noted yet.
    const again = await second.until('FAILED');
    await second.kill();
    expect(again).toEqual(cutOff);
    expect(again.detail).toMatchObject({ status: 'FAILED', error: 'Broken', cause: 'why' });
  } finally {
    rmSync(directory, { recursive: true, force: true });
  }
});
