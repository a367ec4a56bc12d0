import { join } from 'node:path';
import {
  CreateEventBusCommand,
  EventBridgeClient,
  InvalidEventPatternException,
  PutEventsCommand,
  PutRuleCommand,
  PutTargetsCommand,
} from '@aws-sdk/client-eventbridge';
import {
  CreateScheduleCommand,
  GetScheduleCommand,
  ListSchedulesCommand,
  ResourceNotFoundException as ScheduleNotFound,
  SchedulerClient,
} from '@aws-sdk/client-scheduler';
import {
  CreateQueueCommand,
  DeleteMessageBatchCommand,
  GetQueueAttributesCommand,
  GetQueueUrlCommand,
  QueueDoesNotExist,
  ReceiveMessageCommand,
  SendMessageBatchCommand,
  SendMessageCommand,
  SQSClient,
} from '@aws-sdk/client-sqs';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { createTargetDelivery } from '../../../local/events/target-delivery.ts';
import { openCredentialStore } from '../../../local/gateway/credentials.ts';
import { type Gateway, startGateway } from '../../../local/gateway/gateway.ts';
import { createEventsService } from '../../../local/services/events.ts';
import { createQueuesService, type QueuesService } from '../../../local/services/queues.ts';
import { createSchedulerService } from '../../../local/services/scheduler.ts';
import { place, temporaryDirectory } from './queue-fixture.ts';

let gateway: Gateway;
let files: ReturnType<typeof temporaryDirectory>;
let queues: QueuesService;
let sqs: SQSClient;
let events: EventBridgeClient;
let scheduler: SchedulerClient;

beforeAll(async () => {
  files = temporaryDirectory();
  const { directory } = files;
  const credentials = { accessKeyId: 'AKIATEST', secretAccessKey: 'secret' };
  queues = createQueuesService({ directory, ...place });
  const delivery = createTargetDelivery({ queues: queues.store.sender });
  gateway = await startGateway({
    ...place,
    credentials: openCredentialStore({
      file: join(directory, 'keys.json'),
      accountId: place.accountId,
      ...credentials,
    }),
    services: [
      queues,
      createEventsService({ directory, ...place, delivery, deadLetters: queues.store.sender }),
      createSchedulerService({ directory, ...place, delivery, deadLetters: queues.store.sender }),
    ],
  });
  const client = { endpoint: gateway.endpoint, region: place.region, credentials };
  sqs = new SQSClient(client);
  events = new EventBridgeClient(client);
  scheduler = new SchedulerClient(client);
});
afterAll(async () => {
  for (const client of [sqs, events, scheduler]) client.destroy();
  await gateway.close();
  files.remove();
});

describe('the SDK’s own client', () => {
  test('finds every digest right, of bodies and of attributes, text and binary', async () => {
    const { QueueUrl } = await sqs.send(new CreateQueueCommand({ QueueName: 'digests' }));
    const MessageAttributes = {
      tenant: { DataType: 'String', StringValue: 'ácmé' },
      count: { DataType: 'Number.int', StringValue: '7' },
      blob: { DataType: 'Binary', BinaryValue: Uint8Array.of(0, 255, 128) },
    };
    await sqs.send(new SendMessageCommand({ QueueUrl, MessageBody: 'grüße 😀', MessageAttributes }));
    await sqs.send(
      new SendMessageBatchCommand({ QueueUrl, Entries: [{ Id: 'a', MessageBody: 'two', MessageAttributes }] }),
    );
    const { Messages = [] } = await sqs.send(
      new ReceiveMessageCommand({
        QueueUrl,
        MaxNumberOfMessages: 10,
        MessageAttributeNames: ['All'],
        MessageSystemAttributeNames: ['All'],
      }),
    );
    expect(Messages.map(({ Body }) => Body)).toEqual(['grüße 😀', 'two']);
    expect(Messages[0]?.MessageAttributes).toEqual(MessageAttributes);
    expect(Messages[0]?.Attributes?.ApproximateReceiveCount).toBe('1');
    const Entries = Messages.map(({ ReceiptHandle }, index) => ({ Id: String(index), ReceiptHandle }));
    const { Successful } = await sqs.send(new DeleteMessageBatchCommand({ QueueUrl, Entries }));
    expect(Successful).toHaveLength(2);
  });

  test('gets the errors of each service as its own classes', async () => {
    const missingQueue = await sqs
      .send(new GetQueueUrlCommand({ QueueName: 'nowhere' }))
      .catch((error: unknown) => error);
    expect(missingQueue).toBeInstanceOf(QueueDoesNotExist);
    const badRule = new PutRuleCommand({ Name: 'bad', EventPattern: '{"a":1}' });
    expect(await events.send(badRule).catch((error: unknown) => error)).toBeInstanceOf(InvalidEventPatternException);
    const missing = new GetScheduleCommand({ Name: 'nowhere' });
    expect(await scheduler.send(missing).catch((error: unknown) => error)).toBeInstanceOf(ScheduleNotFound);
  });

  test('sends an event to a bus and receives it from the queue behind, in one long poll', async () => {
    const { QueueUrl } = await sqs.send(new CreateQueueCommand({ QueueName: 'intake' }));
    const { Attributes } = await sqs.send(new GetQueueAttributesCommand({ QueueUrl, AttributeNames: ['QueueArn'] }));
    await events.send(new CreateEventBusCommand({ Name: 'tenantry' }));
    const rule = { Rule: 'requests', EventBusName: 'tenantry' };
    await events.send(
      new PutRuleCommand({ Name: 'requests', EventBusName: 'tenantry', EventPattern: '{"source":["tenantry.saas"]}' }),
    );
    await events.send(new PutTargetsCommand({ ...rule, Targets: [{ Id: 'queue', Arn: Attributes?.QueueArn }] }));
    const waiting = sqs.send(new ReceiveMessageCommand({ QueueUrl, WaitTimeSeconds: 20 }));
    const { Entries } = await events.send(
      new PutEventsCommand({
        Entries: [
          {
            EventBusName: 'tenantry',
            Source: 'tenantry.saas',
            DetailType: 'TenantSignedUp',
            Detail: '{"tenantId":"acme"}',
            Time: new Date(0),
          },
        ],
      }),
    );
    const { Messages } = await waiting;
    expect(JSON.parse(Messages?.[0]?.Body ?? '')).toMatchObject({
      id: Entries?.[0]?.EventId,
      time: '1970-01-01T00:00:00Z',
      detail: { tenantId: 'acme' },
    });
  });

  test('makes a schedule whose target gets it at once, and reads it back with its dates', async () => {
    const { QueueUrl } = await sqs.send(new CreateQueueCommand({ QueueName: 'ticks' }));
    const { ScheduleArn } = await scheduler.send(
      new CreateScheduleCommand({
        Name: 'tick',
        ScheduleExpression: 'rate(1 day)',
        EndDate: new Date('2999-01-01T00:00:00Z'),
        FlexibleTimeWindow: { Mode: 'OFF' },
        Target: {
          Arn: queues.store.queue('ticks').arn,
          RoleArn: `arn:aws:iam::${place.accountId}:role/any`,
          Input: '{"tick":1}',
        },
      }),
    );
    const { Messages } = await sqs.send(new ReceiveMessageCommand({ QueueUrl, WaitTimeSeconds: 20 }));
    expect(Messages?.[0]?.Body).toBe('{"tick":1}');
    const schedule = await scheduler.send(new GetScheduleCommand({ Name: 'tick' }));
    expect(schedule).toMatchObject({ Arn: ScheduleArn, State: 'ENABLED', EndDate: new Date('2999-01-01T00:00:00Z') });
    const { Schedules } = await scheduler.send(new ListSchedulesCommand({ NamePrefix: 'ti' }));
    expect(Schedules).toMatchObject([{ Name: 'tick', GroupName: 'default' }]);
  });

  test('that goes away while it waits leaves the message to the next', async () => {
    const { QueueUrl } = await sqs.send(new CreateQueueCommand({ QueueName: 'left' }));
    const gone = new AbortController();
    const waiting = sqs
      .send(new ReceiveMessageCommand({ QueueUrl, WaitTimeSeconds: 20 }), { abortSignal: gone.signal })
      .catch((error: Error) => error.name);
    // The wait has begun once another call on the same gateway has been answered.
    await sqs.send(new GetQueueUrlCommand({ QueueName: 'left' }));
    gone.abort();
    expect(await waiting).toBe('AbortError');
    await sqs.send(new GetQueueUrlCommand({ QueueName: 'left' }));
    await sqs.send(new SendMessageCommand({ QueueUrl, MessageBody: 'kept' }));
    const { Messages } = await sqs.send(new ReceiveMessageCommand({ QueueUrl, WaitTimeSeconds: 20 }));
    expect(Messages).toMatchObject([{ Body: 'kept' }]);
  });
});
