import * as s3 from '@aws-sdk/client-s3';
import { ListBucketsCommand, S3Client } from '@aws-sdk/client-s3';
import * as scheduler from '@aws-sdk/client-scheduler';
import * as sfn from '@aws-sdk/client-sfn';
import * as sqs from '@aws-sdk/client-sqs';
import { Hash } from '@smithy/core/serde';
import { SignatureV4 } from '@smithy/signature-v4';
import { describe, expect, onTestFinished, test, vi } from 'vitest';
import { type SchemaService, ServiceError } from '../../../local/gateway/service.ts';
import { region, rootKey } from './account.ts';
import { openEndpoint } from './endpoint.ts';

const failure = async (work: Promise<unknown>): Promise<Error & { $metadata: { httpStatusCode: number } }> =>
  work.then(
    () => Promise.reject(new Error('it succeeded')),
    (error: Error & { $metadata: { httpStatusCode: number } }) => error,
  );

const signerFor = (service: string): SignatureV4 =>
  new SignatureV4({ service, region, credentials: rootKey, sha256: Hash.bind(null, 'sha256') });

/** A signed request by hand, for what no SDK client would send. */
const post = async (
  endpoint: string,
  service: string,
  {
    headers = {},
    body = '',
    sent = body,
    now = new Date(),
  }: { headers?: object; body?: string; sent?: string; now?: Date },
): Promise<Response> => {
  const { hostname, host } = new URL(endpoint);
  const request = { method: 'POST', protocol: 'http:', hostname, path: '/', headers: { host, ...headers }, body };
  const signed = await signerFor(service).sign(request, { signingDate: now });
  return fetch(endpoint, { method: 'POST', headers: signed.headers, body: sent });
};

const form = (body: string) => ({ headers: { 'content-type': 'application/x-www-form-urlencoded' }, body });

const schemaService = (
  given: Pick<SchemaService, 'signingName' | 'protocol' | 'client' | 'operations'>,
): SchemaService => ({ kind: 'schema', ...given });

describe('JSON over RPC', () => {
  const states = (operations: SchemaService['operations']) =>
    openEndpoint(() => [schemaService({ signingName: 'states', protocol: 'awsJson1_0', client: sfn, operations })]);

  test('carries dates, lists and structures both ways', async () => {
    const startDate = new Date('2026-11-21T10:00:00.123Z');
    const { config } = await states({
      StartExecution: (input: { stateMachineArn: string; name: string }) => ({
        executionArn: `${input.stateMachineArn}:${input.name}`,
        startDate,
      }),
    });
    const command = new sfn.StartExecutionCommand({ stateMachineArn: 'arn:x', name: 'run', input: '{}' });
    const answer = await new sfn.SFNClient(config).send(command);
    expect(answer).toMatchObject({ executionArn: 'arn:x:run', startDate });
    expect(answer.$metadata.requestId).toMatch(/^[0-9a-f-]{36}$/);
  });

  test('throws the typed error with its members', async () => {
    const { config } = await states({
      DescribeExecution: () => {
        throw new ServiceError('ExecutionDoesNotExist', 'no such execution');
      },
    });
    const error = await failure(
      new sfn.SFNClient(config).send(new sfn.DescribeExecutionCommand({ executionArn: 'arn:x' })),
    );
    expect(error).toBeInstanceOf(sfn.ExecutionDoesNotExist);
    expect(error.message).toBe('no such execution');
  });

  test('names required members that are absent, at any depth', async () => {
    const { config, gateway } = await states({ TagResource: () => ({}) });
    const command = new sfn.TagResourceCommand({ resourceArn: undefined as unknown as string, tags: [] });
    const error = await failure(new sfn.SFNClient(config).send(command));
    expect(error.name).toBe('ValidationException');
    expect(error.message).toContain("Value null at 'resourceArn'");
    expect(gateway.port).toBeGreaterThan(0);
  });

  test.each([
    ['not json', 'cannot be read'],
    ['{"executionArn": 5}', "'executionArn' must be a string"],
    ['[]', 'must be an object'],
  ])('refuses the body %s as a serialization error', async (body, reason) => {
    const { gateway } = await states({ DescribeExecution: () => ({}) });
    const headers = {
      'content-type': 'application/x-amz-json-1.0',
      'x-amz-target': 'AWSStepFunctions.DescribeExecution',
    };
    const answer = await post(gateway.endpoint, 'states', { headers, body });
    const problem = (await answer.json()) as { __type: string; message: string };
    expect([answer.status, problem.__type]).toEqual([400, 'SerializationException']);
    expect(problem.message).toContain(reason);
  });

  test('answers 500 InternalFailure when a handler crashes and keeps the reason in the log', async () => {
    const log = vi.spyOn(process.stderr, 'write').mockReturnValue(true);
    onTestFinished(() => log.mockRestore());
    const { config } = await states({
      ListStateMachines: () => {
        throw new TypeError('secret detail');
      },
    });
    const error = await failure(new sfn.SFNClient(config).send(new sfn.ListStateMachinesCommand({})));
    expect(error).toMatchObject({ name: 'InternalFailure', $metadata: { httpStatusCode: 500 } });
    expect(error.message).not.toContain('secret detail');
    expect(log.mock.calls.flat().join('')).toContain('TypeError: secret detail\n    at ');
  });

  test('answers a handler name that every object has with 501', async () => {
    const { gateway } = await states({});
    const headers = { 'content-type': 'application/x-amz-json-1.0', 'x-amz-target': 'AWSStepFunctions.constructor' };
    expect((await post(gateway.endpoint, 'states', { headers, body: '{}' })).status).toBe(501);
  });
});

describe('SQS, which AWS serves in two protocols', () => {
  const queues = () =>
    openEndpoint(() => [
      schemaService({
        signingName: 'sqs',
        protocol: 'awsJson1_0',
        client: sqs,
        operations: {
          GetQueueUrl: () => {
            throw new ServiceError('QueueDoesNotExist', 'The specified queue does not exist.');
          },
          SendMessage: (input: {
            MessageAttributes: Record<string, { BinaryValue: Uint8Array }>;
            DelaySeconds: number;
          }) => ({
            MessageId: `${input.DelaySeconds}:${Buffer.from(input.MessageAttributes.blob?.BinaryValue ?? []).toString('hex')}`,
          }),
          ListQueues: () => ({ QueueUrls: ['http://a/<1>', 'http://a/2'] }),
        },
      }),
    ]);

  test('speaks JSON to new clients and adds the old error code', async () => {
    const { config } = await queues();
    const error = await failure(new sqs.SQSClient(config).send(new sqs.GetQueueUrlCommand({ QueueName: 'q' })));
    expect(error).toBeInstanceOf(sqs.QueueDoesNotExist);
    expect(error).toMatchObject({ Code: 'AWS.SimpleQueueService.NonExistentQueue' });
  });

  test('speaks forms and XML to old ones', async () => {
    const { gateway } = await queues();
    const sent = await post(
      gateway.endpoint,
      'sqs',
      form(
        'Action=SendMessage&QueueUrl=u&MessageBody=b&DelaySeconds=7&MessageAttribute.1.Name=blob&MessageAttribute.1.Value.DataType=Binary&MessageAttribute.1.Value.BinaryValue=AQID',
      ),
    );
    expect(await sent.text()).toContain('<MessageId>7:010203</MessageId>');
    const listed = await post(gateway.endpoint, 'sqs', form('Action=ListQueues'));
    expect(await listed.text()).toContain('<QueueUrl>http://a/&lt;1&gt;</QueueUrl><QueueUrl>http://a/2</QueueUrl>');
    const missing = await post(gateway.endpoint, 'sqs', form('Action=GetQueueUrl&QueueName=q'));
    expect(await missing.text()).toContain('<Code>AWS.SimpleQueueService.NonExistentQueue</Code>');
    const invalid = await post(
      gateway.endpoint,
      'sqs',
      form('Action=SendMessage&QueueUrl=u&MessageBody=b&DelaySeconds=x'),
    );
    expect(await invalid.text()).toContain('must be a number');
  });
});

describe('REST with JSON', () => {
  const schedules = (operations: SchemaService['operations']) =>
    openEndpoint(() => [
      schemaService({ signingName: 'scheduler', protocol: 'restJson1', client: scheduler, operations }),
    ]);

  test('binds labels, query, body and dates', async () => {
    let seen: unknown;
    const { config } = await schedules({
      CreateSchedule: (input) => {
        seen = input;
        return { ScheduleArn: `arn:${input.Name}` };
      },
      GetSchedule: (input) => ({ Name: input.Name, GroupName: input.GroupName, CreationDate: new Date(1_500) }),
      ListSchedules: (input) => ({ Schedules: [{ Name: `${input.MaxResults}${input.NamePrefix}` }] }),
    });
    const client = new scheduler.SchedulerClient(config);
    const input = {
      Name: 'a.b_c-1',
      ScheduleExpression: 'rate(1 hour)',
      StartDate: new Date('2026-11-21T10:00:00Z'),
      FlexibleTimeWindow: { Mode: 'OFF' as const },
      Target: { Arn: 'arn:t', RoleArn: 'arn:r', Input: '{"ü":1}' },
      ClientToken: 'token',
    };
    expect(await client.send(new scheduler.CreateScheduleCommand(input))).toMatchObject({ ScheduleArn: 'arn:a.b_c-1' });
    expect(seen).toEqual(input);
    const got = await client.send(new scheduler.GetScheduleCommand({ Name: 'n', GroupName: 'a group/ü' }));
    expect(got).toMatchObject({ Name: 'n', GroupName: 'a group/ü', CreationDate: new Date(1_500) });
    const listed = await client.send(new scheduler.ListSchedulesCommand({ MaxResults: 7, NamePrefix: 'p' }));
    expect(listed.Schedules).toEqual([{ Name: '7p' }]);
  });

  test('throws the typed error with the status of its schema', async () => {
    const { config } = await schedules({
      GetSchedule: () => {
        throw new ServiceError('ResourceNotFoundException', 'Schedule n does not exist.');
      },
    });
    const error = await failure(
      new scheduler.SchedulerClient(config).send(new scheduler.GetScheduleCommand({ Name: 'n' })),
    );
    expect(error).toBeInstanceOf(scheduler.ResourceNotFoundException);
    expect(error).toMatchObject({ message: 'Schedule n does not exist.', $metadata: { httpStatusCode: 404 } });
  });

  test('answers a path that no operation has with 501', async () => {
    const { gateway } = await schedules({});
    const answer = await post(gateway.endpoint, 'scheduler', { body: '{}' });
    expect([answer.status, await answer.text()]).toEqual([501, expect.stringContaining('POST /')]);
  });
});

test('REST with XML carries lists, dates and typed errors', async () => {
  const CreationDate = new Date('2026-11-21T10:00:00Z');
  let calls = 0;
  const { config } = await openEndpoint(() => [
    schemaService({
      signingName: 's3',
      protocol: 'restXml',
      client: s3,
      operations: {
        ListBuckets: () => {
          calls += 1;
          if (calls > 1) throw new ServiceError('NoSuchBucket', 'gone & <lost>');
          return { Buckets: [{ Name: 'a&b', CreationDate }, { Name: 'c' }] };
        },
      },
    }),
  ]);
  const client = new S3Client(config);
  expect((await client.send(new ListBucketsCommand({}))).Buckets).toEqual([
    { Name: 'a&b', CreationDate },
    { Name: 'c' },
  ]);
  const error = await failure(client.send(new ListBucketsCommand({})));
  expect(error).toMatchObject({ name: 'NoSuchBucket', message: 'gone & <lost>' });
});
