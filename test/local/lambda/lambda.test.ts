import { existsSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import {
  GetFunctionCommand,
  GetFunctionConfigurationCommand,
  InvokeCommand,
  LambdaClient,
  ListFunctionsCommand,
  PublishVersionCommand,
  RequestTooLargeException,
  ResourceNotFoundException,
  TooManyRequestsException,
} from '@aws-sdk/client-lambda';
import { describe, expect, test, vi } from 'vitest';
import { accountId, region } from '../gateway/account.ts';
import { openFunctions } from './functions.ts';
import { gone, isRunning } from './processes.ts';

const arn = (name: string): string => `arn:aws:lambda:${region}:${accountId}:function:${name}`;

const appears = (file: string): Promise<void> =>
  vi.waitFor(() => expect(existsSync(file)).toBe(true), { timeout: 10_000, interval: 5 });

const failure = async (work: Promise<unknown>): Promise<Error> =>
  work.then(
    () => Promise.reject(new Error('it succeeded')),
    (error: Error) => error,
  );

describe('a handler', () => {
  test('is called with event and context and is warm the second time', async () => {
    const { define, call } = await openFunctions();
    const functionArn = define('warm', { timeout: 3, memory: 128 });
    const { answer: first } = await call('warm', { a: 'ü' });
    const { answer: second } = await call(functionArn, { b: 2 });
    expect([first, second]).toMatchObject([
      { event: { a: 'ü' }, calls: 1 },
      { event: { b: 2 }, calls: 2 },
    ]);
    const { answer } = await call(`${functionArn}:$LATEST`, { do: 'context' });
    expect(answer).toMatchObject({
      functionName: 'warm',
      functionVersion: '$LATEST',
      memoryLimitInMB: '128',
      invokedFunctionArn: `${functionArn}:$LATEST`,
      awsRequestId: expect.stringMatching(/^[0-9a-f-]{36}$/),
    });
    const { remaining } = answer as { remaining: number };
    expect(remaining).toBeGreaterThan(2_000);
    expect(remaining).toBeLessThanOrEqual(3_000);
  });

  test('sees its own environment and nothing of ours', async () => {
    process.env.TENANTRY_TEST_SECRET = 'do not leak';
    const { define, call, gateway, scratch } = await openFunctions();
    define('clean', { environment: { GREETING: 'hello' } });
    const environment = (await call('clean', { do: 'environment' })).answer as Record<string, string>;
    delete process.env.TENANTRY_TEST_SECRET;
    expect(environment).toMatchObject({
      GREETING: 'hello',
      AWS_REGION: region,
      AWS_LAMBDA_FUNCTION_NAME: 'clean',
      AWS_LAMBDA_FUNCTION_MEMORY_SIZE: '128',
      AWS_ENDPOINT_URL: gateway.endpoint,
      PATH: process.env.PATH,
    });
    expect(environment.TMPDIR).toContain(scratch);
    const others = Object.keys(environment).filter((name) => !/^(AWS_|LAMBDA_|_HANDLER$)/.test(name));
    expect(others.sort()).toEqual(['GREETING', 'LANG', 'NODE_COMPILE_CACHE', 'PATH', 'TMPDIR', 'TZ']);
  });

  test('calls AWS with credentials of its own role through the same endpoint', async () => {
    const { define, call } = await openFunctions();
    define('caller', { role: `arn:aws:iam::${accountId}:role/tenantry/reader` });
    expect(await call('caller', { do: 'identity' })).toEqual({
      answer: `arn:aws:sts::${accountId}:assumed-role/reader/caller`,
      failed: false,
    });
  });

  test('has its lines logged under its name', async () => {
    const { define, call, lines } = await openFunctions();
    define('writer');
    await call('writer', { do: 'log', lines: ['one', 'two'] });
    await vi.waitFor(() => expect(lines).toHaveLength(3));
    expect(lines).toEqual(
      expect.arrayContaining(['one', 'two', 'on stderr'].map((line) => ({ name: 'writer', line }))),
    );
  });

  test('has a scratch directory that goes with its process', async () => {
    const { define, call, scratch } = await openFunctions();
    define('tidy');
    const { answer } = await call('tidy', { do: 'environment' });
    const { TMPDIR } = answer as { TMPDIR: string };
    expect(existsSync(TMPDIR)).toBe(true);
    await call('tidy', { do: 'exit', code: 0 });
    await vi.waitFor(() => expect(readdirSync(join(scratch, 'processes'))).toEqual([]));
  });
});

describe('a failure', () => {
  test('that is thrown keeps name, message and trace, and the process', async () => {
    const { define, call } = await openFunctions();
    define('thrower');
    const thrown = await call('thrower', { do: 'fail', name: 'TenantBusy', message: 'acme is busy' });
    expect(thrown).toMatchObject({ failed: true, answer: { errorType: 'TenantBusy', errorMessage: 'acme is busy' } });
    expect((thrown.answer as { trace: string[] }).trace[0]).toContain('acme is busy');
    const text = await call('thrower', { do: 'failWithText', text: 'just text' });
    expect(text).toEqual({ failed: true, answer: { errorType: 'string', errorMessage: 'just text', trace: [] } });
    expect((await call('thrower', {})).answer).toMatchObject({ calls: 3 });
  });

  test('of a busy loop ends at the time-out, with the process', async () => {
    const { define, call, directory } = await openFunctions();
    define('spinner', { timeout: 1 });
    const begun = performance.now();
    const { answer, failed } = await call('spinner', { do: 'spin', started: join(directory, 'started') });
    expect(failed).toBe(true);
    expect(answer).toEqual({
      errorType: 'Sandbox.Timedout',
      errorMessage: expect.stringMatching(
        /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z [0-9a-f-]{36} Task timed out after 1\.00 seconds$/,
      ),
    });
    expect(performance.now() - begun).toBeGreaterThanOrEqual(1_000);
    expect((await call('spinner', {})).answer).toMatchObject({ calls: 1 });
  });

  test.each([
    [3, 'Runtime exited with error: exit status 3'],
    [0, 'Runtime exited without providing a reason'],
  ])('of process.exit(%i) is told and contained', async (code, reason) => {
    const { define, call } = await openFunctions();
    define('leaver');
    const { answer, failed } = await call('leaver', { do: 'exit', code });
    expect(failed).toBe(true);
    expect(answer).toMatchObject({ errorType: 'Runtime.ExitError', errorMessage: expect.stringContaining(reason) });
    expect((await call('leaver', {})).failed).toBe(false);
  });

  test('of memory beyond the limit ends the process', async () => {
    const { define, call } = await openFunctions();
    define('hungry', { memory: 64, timeout: 25 });
    expect(await call('hungry', { do: 'exhaust' })).toMatchObject({
      failed: true,
      answer: { errorType: 'Runtime.ExitError', errorMessage: expect.stringContaining('signal: aborted') },
    });
  });

  test('thrown after the answer does not touch later calls', async () => {
    const { define, call } = await openFunctions();
    define('late');
    const { answer } = await call('late', {});
    const { pid } = answer as { pid: number };
    expect(await call('late', { do: 'throwLater' })).toEqual({ failed: false, answer: 'answered' });
    await gone(pid);
    expect(await call('late', {})).toMatchObject({ failed: false, answer: { calls: 1 } });
  });

  test('of a promise that nobody waits for fails the call', async () => {
    const { define, call } = await openFunctions();
    define('careless');
    const { answer, failed } = await call('careless', { do: 'rejectBehind', size: 3_000_000 });
    expect(failed).toBe(true);
    const { errorType, errorMessage } = answer as { errorType: string; errorMessage: string };
    // Larger than any pipe buffer: the process must not end before its last words are out.
    expect([errorType, errorMessage.length]).toEqual(['Runtime.UnhandledPromiseRejection', 3_000_007]);
    expect(errorMessage).toContain('Error: nobody waits');
  });

  test.each([
    ['nothing', 'Runtime.HandlerNotFound', 'nothing is not a function'],
    ['constant', 'Runtime.HandlerNotFound', 'constant is not a function'],
  ])('to find the export %s fails each call', async (handler, errorType, reason) => {
    const { define, call } = await openFunctions();
    define('lost', { handler });
    const expected = { failed: true, answer: { errorType, errorMessage: expect.stringContaining(reason) } };
    expect(await Promise.all([call('lost', {}), call('lost', {})])).toMatchObject([expected, expected]);
  });

  test('to load the file fails the call with the reason', async () => {
    const { define, call, directory } = await openFunctions();
    const file = join(directory, 'broken.mjs');
    writeFileSync(file, 'throw new RangeError("not today");');
    define('broken', { file });
    expect(await call('broken', {})).toMatchObject({
      failed: true,
      answer: { errorType: 'RangeError', errorMessage: 'not today' },
    });
  });

  test('to load in time fails the call', async () => {
    const { define, call, directory } = await openFunctions({ limits: { load: 300 } });
    const file = join(directory, 'endless.mjs');
    writeFileSync(file, 'for (;;);');
    define('endless', { file });
    expect(await call('endless', {})).toMatchObject({ failed: true, answer: { errorType: 'Sandbox.Timedout' } });
  });

  test('of an answer that is too large or no JSON is told', async () => {
    const { define, call } = await openFunctions();
    define('big');
    expect(await call('big', { do: 'fill', size: 6_291_556 })).toMatchObject({
      failed: true,
      answer: { errorType: 'Function.ResponseSizeTooLarge' },
    });
    expect(await call('big', { do: 'fill', size: 6_291_554 })).toMatchObject({ failed: false });
    expect(await call('big', { do: 'circle' })).toMatchObject({ failed: true, answer: { errorType: 'TypeError' } });
  });
});

describe('the client', () => {
  test('invokes with the log tail and gets payload, version and function error', async () => {
    const { define, config } = await openFunctions();
    define('tailed');
    const client = new LambdaClient(config);
    const invoke = (event: object) =>
      client.send(
        new InvokeCommand({
          FunctionName: arn('tailed'),
          LogType: 'Tail',
          Payload: Buffer.from(JSON.stringify(event)),
        }),
      );
    const good = await invoke({ do: 'log', lines: ['from the handler'] });
    expect(good).toMatchObject({ StatusCode: 200, ExecutedVersion: '$LATEST' });
    expect(good.FunctionError).toBeUndefined();
    expect(good.Payload?.transformToString()).toBe('null');
    const tail = Buffer.from(good.LogResult ?? '', 'base64').toString();
    expect(tail).toMatch(/^START RequestId: [^\n]+\n(.*\n)*from the handler\n(.*\n)*REPORT RequestId/);
    const bad = await invoke({ do: 'fail', name: 'E', message: 'm' });
    expect(bad.FunctionError).toBe('Unhandled');
    expect(JSON.parse(bad.Payload?.transformToString() ?? '')).toMatchObject({ errorType: 'E', errorMessage: 'm' });
  });

  test('runs nothing in a dry run, and runs an event later, again when it fails', async () => {
    const { define, config, directory, lines } = await openFunctions({ eventRetryDelays: [1, 1] });
    define('events');
    const client = new LambdaClient(config);
    const send = (InvocationType: 'DryRun' | 'Event', event: object) =>
      client.send(new InvokeCommand({ FunctionName: 'events', InvocationType, Payload: JSON.stringify(event) }));
    const started = join(directory, 'started');
    writeFileSync(join(directory, 'go'), '');
    expect((await send('DryRun', { do: 'hold', started, go: join(directory, 'go') })).StatusCode).toBe(204);
    expect(existsSync(started)).toBe(false);
    expect((await send('Event', { do: 'hold', started, go: join(directory, 'go') })).StatusCode).toBe(202);
    await appears(started);
    await send('Event', { do: 'fail', name: 'E', message: 'again' });
    await vi.waitFor(() => expect(lines.filter(({ line }) => line.includes('(attempt 3)'))).toHaveLength(1));
  });

  test('is refused what is unknown, unreadable or too large', async () => {
    const { define, config } = await openFunctions();
    define('known');
    const client = new LambdaClient(config);
    const invoke = (FunctionName: string, Payload = '{}', more = {}) =>
      failure(client.send(new InvokeCommand({ FunctionName, Payload, ...more })));
    expect(await invoke('unknown')).toBeInstanceOf(ResourceNotFoundException);
    expect(await invoke('known', '{}', { Qualifier: '7' })).toBeInstanceOf(ResourceNotFoundException);
    expect(await invoke('known', 'not json')).toMatchObject({ name: 'InvalidRequestContentException' });
    expect(await invoke('known', '{}', { InvocationType: 'Later' })).toMatchObject({ name: 'ValidationException' });
    expect(await invoke('known', JSON.stringify('x'.repeat(6_291_556)))).toBeInstanceOf(RequestTooLargeException);
    const event = { InvocationType: 'Event' };
    expect(await invoke('known', JSON.stringify('x'.repeat(1_048_576)), event)).toBeInstanceOf(
      RequestTooLargeException,
    );
    const missing = await failure(client.send(new PublishVersionCommand({ FunctionName: 'known' })));
    expect(missing).toMatchObject({ name: 'NotImplemented', $metadata: { httpStatusCode: 501 } });
  });

  test('reads functions, one by one and in pages', async () => {
    const { define, config } = await openFunctions();
    for (const name of ['c', 'a', 'b']) define(name, { environment: { NAME: name }, reservedConcurrency: 2 });
    const client = new LambdaClient(config);
    const configuration = await client.send(new GetFunctionConfigurationCommand({ FunctionName: arn('a') }));
    expect(configuration).toMatchObject({
      FunctionArn: arn('a'),
      Runtime: 'nodejs24.x',
      Timeout: 10,
      MemorySize: 128,
      Environment: { Variables: { NAME: 'a' } },
      State: 'Active',
    });
    const whole = await client.send(new GetFunctionCommand({ FunctionName: 'a' }));
    expect(whole.Concurrency).toEqual({ ReservedConcurrentExecutions: 2 });
    const first = await client.send(new ListFunctionsCommand({ MaxItems: 2 }));
    const second = await client.send(new ListFunctionsCommand({ MaxItems: 2, Marker: first.NextMarker }));
    const names = [first, second].map(({ Functions }) => Functions?.map(({ FunctionName }) => FunctionName));
    expect(names).toEqual([['a', 'b'], ['c']]);
    expect(second.NextMarker).toBeUndefined();
  });
});

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
