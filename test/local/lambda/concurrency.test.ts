import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { InvokeCommand, LambdaClient, TooManyRequestsException } from '@aws-sdk/client-lambda';
import { describe, expect, test, vi } from 'vitest';
import { gone, isRunning } from '../processes.ts';
import { openFunctions } from './functions.ts';

const appears = (file: string): Promise<void> =>
  vi.waitFor(() => expect(existsSync(file)).toBe(true), { timeout: 10_000, interval: 5 });

const failure = async (work: Promise<unknown>): Promise<Error> =>
  work.then(
    () => Promise.reject(new Error('it succeeded')),
    (error: Error) => error,
  );

describe('many calls at once', () => {
  test('run in as many processes', async () => {
    const { define, lambda, directory } = await openFunctions({ limits: { processes: 5, starts: 5 } });
    const functionArn = define('five');
    const calls = Array.from({ length: 5 }, (_call, index) => {
      const event = { do: 'hold', started: join(directory, `started-${index}`), go: join(directory, 'go') };
      return lambda.invoker.invoke(functionArn, JSON.stringify(event));
    });
    await Promise.all(calls.map((_call, index) => appears(join(directory, `started-${index}`))));
    writeFileSync(join(directory, 'go'), '');
    expect(await Promise.all(calls)).toEqual(Array.from({ length: 5 }, () => ({ payload: 'null' })));
  });

  test('of short work wait for the process that there is: none is loaded for nothing', async () => {
    const { define, call } = await openFunctions({ limits: { processes: 5, starts: 5, patience: 60_000 } });
    define('short');
    const calls = await Promise.all(Array.from({ length: 10 }, () => call('short', {})));
    expect(new Set(calls.map(({ answer }) => (answer as { pid: number }).pid)).size).toBe(1);
  });

  test('of a function that has a process leave the others theirs, however long they wait', async () => {
    const { define, call, directory } = await openFunctions({ limits: { processes: 2, patience: 0, spare: 60_000 } });
    for (const name of ['busy', 'resting']) define(name);
    const pid = async (): Promise<number> => ((await call('resting', {})).answer as { pid: number }).pid;
    const before = await pid();
    const started = join(directory, 'started');
    const held = call('busy', { do: 'hold', started, go: join(directory, 'go') });
    await appears(started);
    const second = call('busy', {});
    expect(await pid()).toBe(before);
    writeFileSync(join(directory, 'go'), '');
    expect((await Promise.all([held, second])).map(({ failed }) => failed)).toEqual([false, false]);
  });

  test('beyond the reserved concurrency wait in process and are refused over the wire', async () => {
    const { define, call, config, directory } = await openFunctions();
    define('single', { reservedConcurrency: 1 });
    const started = join(directory, 'started');
    const held = call('single', { do: 'hold', started, go: join(directory, 'go') });
    await appears(started);
    const queued = call('single', {});
    const refused = await failure(new LambdaClient(config).send(new InvokeCommand({ FunctionName: 'single' })));
    expect(refused).toBeInstanceOf(TooManyRequestsException);
    writeFileSync(join(directory, 'go'), '');
    expect(await held).toMatchObject({ failed: false });
    expect((await queued).answer).toMatchObject({ calls: 2 });
  });

  test('beyond the queue are refused', async () => {
    const { define, call, lambda, directory } = await openFunctions({ limits: { queue: 1 } });
    define('full', { reservedConcurrency: 1 });
    const started = join(directory, 'started');
    const held = call('full', { do: 'hold', started, go: join(directory, 'go') });
    await appears(started);
    const queued = call('full', {});
    await expect(lambda.invoker.invoke('full', '{}')).rejects.toMatchObject({ name: 'TooManyRequestsException' });
    writeFileSync(join(directory, 'go'), '');
    expect([(await held).failed, (await queued).failed]).toEqual([false, false]);
  });

  test('share one process in the order in which they came, whatever function they are for', async () => {
    const { define, call, directory } = await openFunctions({ limits: { processes: 1 } });
    for (const name of ['a', 'b']) define(name);
    const started = join(directory, 'started');
    const order: string[] = [];
    const run = async (name: string, label: string, event = {}): Promise<void> => {
      await call(name, event);
      order.push(label);
    };
    const first = run('a', 'a1', { do: 'hold', started, go: join(directory, 'go') });
    await appears(started);
    const rest = [run('b', 'b1'), run('a', 'a2'), run('b', 'b2')];
    writeFileSync(join(directory, 'go'), '');
    await Promise.all([first, ...rest]);
    expect(order).toEqual(['a1', 'b1', 'a2', 'b2']);
  });

  test('give way to each other under a memory limit, idle processes first', async () => {
    const { define, call } = await openFunctions({ limits: { memory: 300 } });
    for (const name of ['a', 'b', 'c']) define(name, { memory: 128 });
    const pid = async (name: string): Promise<number> => ((await call(name, {})).answer as { pid: number }).pid;
    const [a, b] = [await pid('a'), await pid('b')];
    await pid('c');
    await gone(a);
    expect(await pid('b')).toBe(b);
  });

  test('leave no idle process behind after the idle time', async () => {
    const { define, call } = await openFunctions({ limits: { idle: 1 } });
    define('brief');
    await gone(((await call('brief', {})).answer as { pid: number }).pid);
    expect((await call('brief', {})).answer).toMatchObject({ calls: 1 });
  });
});

describe('an abort', () => {
  test('kills the running process and what it started, and rejects with the reason', async () => {
    const { define, lambda, directory } = await openFunctions();
    const functionArn = define('stopped', { timeout: 20 });
    const started = join(directory, 'started');
    const abort = new AbortController();
    const work = lambda.invoker.invoke(functionArn, JSON.stringify({ do: 'sleepInChild', started }), {
      signal: abort.signal,
    });
    await vi.waitFor(() => expect(readFileSync(started, 'utf8')).toMatch(/^\d+$/), { timeout: 10_000 });
    abort.abort(new Error('enough'));
    await expect(work).rejects.toThrow('enough');
    await gone(Number(readFileSync(started, 'utf8')));
  });

  test('takes a waiting call out of the queue', async () => {
    const { define, call, lambda, directory } = await openFunctions();
    const functionArn = define('queued', { reservedConcurrency: 1 });
    const started = join(directory, 'started');
    const held = call('queued', { do: 'hold', started, go: join(directory, 'go') });
    await appears(started);
    const abort = new AbortController();
    const waiting = lambda.invoker.invoke(functionArn, '{}', { signal: abort.signal });
    abort.abort(new Error('never mind'));
    await expect(waiting).rejects.toThrow('never mind');
    writeFileSync(join(directory, 'go'), '');
    await held;
    expect((await call('queued', {})).answer).toMatchObject({ calls: 2 });
    const late = lambda.invoker.invoke(functionArn, '{}', { signal: AbortSignal.abort(new Error('was over')) });
    await expect(late).rejects.toThrow('was over');
  });
});

test('a function defined anew answers from its new definition, also where the old one is running', async () => {
  const { define, call, directory } = await openFunctions();
  define('renewed', { environment: { EDITION: '1' } });
  const started = join(directory, 'started');
  const held = call('renewed', { do: 'hold', started, go: join(directory, 'go') });
  await appears(started);
  define('renewed', { environment: { EDITION: '2' } });
  writeFileSync(join(directory, 'go'), '');
  expect((await held).failed).toBe(false);
  expect((await call('renewed', { do: 'environment' })).answer).toMatchObject({ EDITION: '2' });
});

test('closing ends every process and refuses what waits, runs or comes', async () => {
  const { define, call, lambda, gateway, directory } = await openFunctions();
  define('closing', { reservedConcurrency: 1 });
  const { pid } = (await call('closing', {})).answer as { pid: number };
  const started = join(directory, 'started');
  const running = call('closing', { do: 'hold', started, go: join(directory, 'never') });
  await appears(started);
  const waiting = call('closing', {});
  const refused = Promise.all([running, waiting].map((work) => failure(work)));
  await gateway.close();
  expect(await refused).toMatchObject([{ name: 'ServiceException' }, { name: 'ServiceException' }]);
  expect(isRunning(pid)).toBe(false);
  await expect(lambda.invoker.invoke('closing', '{}')).rejects.toMatchObject({ name: 'ServiceException' });
});
