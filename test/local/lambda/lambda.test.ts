import { existsSync, readdirSync, writeFileSync } from 'node:fs';
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
} from '@aws-sdk/client-lambda';
import { describe, expect, test, vi } from 'vitest';
import { accountId, region } from '../gateway/account.ts';
import { gone } from '../processes.ts';
import { openFunctions } from './functions.ts';

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
