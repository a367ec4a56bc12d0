import { cpSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { functionArn, type Laptop, openLaptop } from './laptop.ts';

let laptop: Laptop;
let broken = new Set<unknown>();

beforeEach(() => {
  broken = new Set();
  laptop = openLaptop({
    handlers: {
      check: (event: unknown) => {
        const id = typeof event === 'object' && event !== null && 'id' in event ? event.id : event;
        if (broken.has(id)) throw Object.assign(new Error(`no ${id}`), { name: 'ArchiveDamaged' });
        return { id };
      },
    },
  });
});
afterEach(() => laptop.close());

const distributed = (fields: object, state: object = { Type: 'Task', Resource: functionArn('check') }): object => ({
  StartAt: 'Slices',
  States: {
    Slices: {
      Type: 'Map',
      Label: 'Slices',
      ItemProcessor: {
        ProcessorConfig: { Mode: 'DISTRIBUTED', ExecutionType: 'STANDARD' },
        StartAt: 'Each',
        States: { Each: { End: true, ...state } },
      },
      End: true,
      ...fields,
    },
  },
});

const reader = (config: object, key = 'items'): object => ({
  Resource: 'arn:aws:states:::s3:getObject',
  ReaderConfig: config,
  Arguments: { Bucket: 'b', Key: `{% '${key}' %}` },
});

type MapRun = { mapRunArn: string; stateMachineArn: string };
const mapRunOf = async (executionArn: string): Promise<MapRun> =>
  (await laptop.call<{ mapRuns: MapRun[] }>('ListMapRuns', { executionArn })).mapRuns[0]!;

describe('items', () => {
  test.each([
    ['JSON', { InputType: 'JSON' }, '["a","b"]', ['a', 'b']],
    ['JSON lines', { InputType: 'JSONL' }, '{"x":1}\n{"x":2}\n', [{ x: 1 }, { x: 2 }]],
    [
      'CSV with a header',
      { InputType: 'CSV' },
      'id,name\n1,"a, ""b"""\n2,c\n',
      [
        { id: '1', name: 'a, "b"' },
        { id: '2', name: 'c' },
      ],
    ],
    [
      'CSV with given headers',
      { InputType: 'CSV', CSVHeaderLocation: 'GIVEN', CSVHeaders: ['x'], CSVDelimiter: 'TAB' },
      '1\n2\n',
      [{ x: '1' }, { x: '2' }],
    ],
    ['no more than MaxItems', { InputType: 'JSON', MaxItems: 1 }, '["a","b"]', ['a']],
  ])('are read from S3 as %s', async (_what, config, body, want) => {
    laptop.objects.set('b/items', body);
    const { output } = await laptop.run(distributed({ ItemReader: reader(config) }, { Type: 'Pass' }));
    expect(output).toEqual(want);
  });

  test('are the objects of a bucket', async () => {
    laptop.objects.set('b/t/acme/1', 'xx');
    laptop.objects.set('b/other', 'x');
    const ItemReader = { Resource: 'arn:aws:states:::s3:listObjectsV2', Arguments: { Bucket: 'b', Prefix: 't/' } };
    const { output } = await laptop.run(
      distributed({ ItemReader }, { Type: 'Pass', Output: '{% $states.input.Key & $string($states.input.Size) %}' }),
    );
    expect(output).toEqual(['t/acme/12']);
  });

  test('that cannot be read fail the Map with the reason of S3', async () => {
    const { execution } = await laptop.run(distributed({ ItemReader: reader({}, 'nowhere') }));
    expect(execution.error).toBe('States.ItemReaderFailed');
    expect(execution.cause).toContain('nowhere');
  });

  test('come in batches with a common input', async () => {
    const ItemBatcher = { MaxItemsPerBatch: 2, BatchInput: { k: '{% 1 %}' } };
    const { output, arn } = await laptop.run(distributed({ ItemBatcher }, { Type: 'Pass' }), [1, 2, 3]);
    expect(output).toEqual([
      { BatchInput: { k: 1 }, Items: [1, 2] },
      { BatchInput: { k: 1 }, Items: [3] },
    ]);
    const { mapRunArn } = await mapRunOf(arn);
    const run = await laptop.call<{ itemCounts: object; executionCounts: object }>('DescribeMapRun', { mapRunArn });
    expect(run.itemCounts).toMatchObject({ total: 3, succeeded: 3 });
    expect(run.executionCounts).toMatchObject({ total: 2, succeeded: 2 });
  });

  test('are selected in the parent, whose variables the children do not see', async () => {
    const machine = {
      StartAt: 'Set',
      States: {
        Set: { Type: 'Pass', Assign: { v: 1 }, Next: 'Slices' },
        ...(
          distributed(
            { ItemSelector: { i: '{% $states.context.Map.Item.Index %}', v: '{% $v %}' } },
            { Type: 'Pass', Output: '{% [$states.input.v, $exists($v)] %}' },
          ) as { States: object }
        ).States,
      },
    };
    expect((await laptop.run(machine, ['x'])).output).toEqual([[1, false]]);
  });
});

describe('children', () => {
  test('are executions of the Map Run, which says how many are where', async () => {
    const { arn, output } = await laptop.run(distributed({ MaxConcurrency: 2 }), [1, 2, 3]);
    expect(output).toEqual([{ id: 1 }, { id: 2 }, { id: 3 }]);
    const { mapRunArn, stateMachineArn } = await mapRunOf(arn);
    expect(mapRunArn).toMatch(/:mapRun:machine-1\/Slices:[0-9a-f-]{36}$/);
    expect(stateMachineArn).toMatch(/:stateMachine:machine-1\/Slices$/);
    const { executions } = await laptop.call<{
      executions: { executionArn: string; itemCount: number; mapRunArn: string }[];
    }>('ListExecutions', { mapRunArn });
    expect(executions).toHaveLength(3);
    expect(executions[0]).toMatchObject({ itemCount: 1, mapRunArn });
    expect(executions[0]!.executionArn).toContain(':execution:machine-1/Slices:');
    expect(await laptop.call('DescribeMapRun', { mapRunArn })).toMatchObject({
      executionArn: arn,
      status: 'SUCCEEDED',
      maxConcurrency: 2,
      toleratedFailureCount: 0,
      toleratedFailurePercentage: 0,
      executionCounts: {
        pending: 0,
        running: 0,
        succeeded: 3,
        failed: 0,
        timedOut: 0,
        aborted: 0,
        total: 3,
        resultsWritten: 0,
      },
    });
    expect((await laptop.history(arn)).map(({ type }) => type)).toEqual([
      'ExecutionStarted',
      'MapStateEntered',
      'MapStateStarted',
      'MapRunStarted',
      'MapRunSucceeded',
      'MapStateSucceeded',
      'MapStateExited',
      'ExecutionSucceeded',
    ]);
  });

  test('that fail beyond the tolerated count or percentage fail the Map, those within stand whole in its output', async () => {
    broken = new Set([2]);
    const failed = await laptop.run(distributed({}), [1, 2, 3]);
    expect(failed.execution.error).toBe('States.ExceedToleratedFailureThreshold');
    expect((await laptop.history(failed.arn)).map(({ type }) => type)).toEqual(
      expect.arrayContaining(['MapRunFailed', 'MapStateFailed']),
    );
    expect((await laptop.run(distributed({ ToleratedFailurePercentage: 30 }), [1, 2, 3])).execution.status).toBe(
      'FAILED',
    );
    for (const tolerance of [
      { ToleratedFailurePercentage: 34 },
      { ToleratedFailureCount: 1 },
      { ToleratedFailureCount: '{% 1 %}' },
    ]) {
      const { output } = await laptop.run(distributed(tolerance), [1, 2, 3]);
      expect(output).toEqual([
        { id: 1 },
        expect.objectContaining({ Status: 'FAILED', Error: 'ArchiveDamaged', Input: '2' }),
        { id: 3 },
      ]);
    }
  });

  test('write their results and a manifest to S3', async () => {
    broken = new Set([2]);
    const ResultWriter = { Resource: 'arn:aws:states:::s3:putObject', Arguments: { Bucket: 'out', Prefix: 'runs' } };
    const { output, arn } = await laptop.run(distributed({ ToleratedFailureCount: 1, ResultWriter }), [1, 2, 3]);
    const { MapRunArn, ResultWriterDetails } = output as {
      MapRunArn: string;
      ResultWriterDetails: { Bucket: string; Key: string };
    };
    expect(MapRunArn).toBe((await mapRunOf(arn)).mapRunArn);
    expect(ResultWriterDetails.Key).toBe(`runs/${MapRunArn.split(':').at(-1)}/manifest.json`);
    const manifest = JSON.parse(laptop.objects.get(`out/${ResultWriterDetails.Key}`)!);
    expect(manifest).toMatchObject({ DestinationBucket: 'out', MapRunArn, ResultFiles: { PENDING: [] } });
    const body = laptop.objects.get(`out/${manifest.ResultFiles.SUCCEEDED[0].Key}`)!;
    expect(manifest.ResultFiles.SUCCEEDED[0].Size).toBe(body.length);
    expect(JSON.parse(body).map((row: { Output: string }) => row.Output)).toEqual(['{"id":1}', '{"id":3}']);
    expect(JSON.parse(laptop.objects.get(`out/${manifest.ResultFiles.FAILED[0].Key}`)!)).toMatchObject([
      { Error: 'ArchiveDamaged' },
    ]);
  });

  test('end with their parent', async () => {
    const machine = await laptop.create('long', distributed({}, { Type: 'Wait', Seconds: 3_600 }));
    const arn = await laptop.start(machine, [1, 2]);
    await laptop.event(arn, 'MapRunStarted');
    const { mapRunArn } = await mapRunOf(arn);
    await laptop.call('StopExecution', { executionArn: arn });
    const { executions } = await laptop.call<{ executions: { status: string }[] }>('ListExecutions', { mapRunArn });
    expect(executions.map(({ status }) => status)).toEqual(['ABORTED', 'ABORTED']);
    expect(await laptop.call('DescribeMapRun', { mapRunArn })).toMatchObject({ status: 'ABORTED' });
  });

  test('that failed are the only ones that a redrive of the parent runs again', async () => {
    broken = new Set([2]);
    const { arn } = await laptop.run(distributed({ MaxConcurrency: 1 }), [1, 2, 3]);
    const { mapRunArn } = await mapRunOf(arn);
    broken = new Set();
    await laptop.call('RedriveExecution', { executionArn: arn });
    const done = await laptop.ended(arn);
    expect(JSON.parse(done.output!)).toEqual([{ id: 1 }, { id: 2 }, { id: 3 }]);
    expect(done.redriveCount).toBe(1);
    const { executions } = await laptop.call<{ executions: { redriveCount: number }[] }>('ListExecutions', {
      mapRunArn,
    });
    expect(executions.map(({ redriveCount }) => redriveCount).toSorted()).toEqual([0, 0, 1]);
    expect(await laptop.call('DescribeMapRun', { mapRunArn })).toMatchObject({ redriveCount: 1, status: 'SUCCEEDED' });
    expect((await laptop.history(arn)).map(({ type }) => type)).toContain('MapRunRedriven');
  });

  test('go on after a crash, and the parent waits for them again', async () => {
    const machine = await laptop.create(
      'crash',
      distributed({ MaxConcurrency: 2 }, { Type: 'Wait', Seconds: 1, Output: '{% $states.input + 1 %}' }),
    );
    const arn = await laptop.start(machine, [1, 2, 3]);
    await laptop.event(arn, 'MapRunStarted');
    const copy = mkdtempSync(join(tmpdir(), 'distributed-'));
    cpSync(laptop.directory, copy, { recursive: true });
    const next = openLaptop({ directory: copy });
    try {
      expect(next.states.resume().length).toBeGreaterThanOrEqual(1);
      expect(JSON.parse((await next.ended(arn)).output!)).toEqual([2, 3, 4]);
    } finally {
      next.close();
      rmSync(copy, { recursive: true, force: true });
    }
  });
});
