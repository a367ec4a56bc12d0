import {
  CreateEventBusCommand,
  type EventBridgeClient,
  PutRuleCommand,
  PutTargetsCommand,
} from '@aws-sdk/client-eventbridge';
import {
  CreateEventSourceMappingCommand,
  type LambdaClient,
  ListEventSourceMappingsCommand,
} from '@aws-sdk/client-lambda';
import { CreateQueueCommand, type SQSClient } from '@aws-sdk/client-sqs';
import {
  busName,
  endPattern,
  functionName,
  intakeVisibilitySeconds,
  journalPattern,
  maxReceives,
  requestPattern,
} from '../../domain/deployment.ts';
import { ensure, machinePrefix, type Target } from './target.ts';

/** ARNs of the queues behind the rules. */
export interface Queues {
  readonly intake: string;
  readonly journal: string;
  readonly ends: string;
}

/** The queues that rules fill, and the one for what they cannot be rid of. */
export const createQueues = async (sqs: SQSClient, target: Target): Promise<Queues & { deadLetterUrl: string }> => {
  const arn = (name: string): string => `arn:aws:sqs:${target.region}:${target.accountId}:${name}`;
  const { QueueUrl: deadLetterUrl } = await sqs.send(
    new CreateQueueCommand({ QueueName: 'tenantry-dead-letters', Attributes: { MessageRetentionPeriod: '1209600' } }),
  );
  const create = (name: string): Promise<unknown> =>
    sqs.send(
      new CreateQueueCommand({
        QueueName: name,
        Attributes: {
          VisibilityTimeout: String(intakeVisibilitySeconds),
          RedrivePolicy: JSON.stringify({
            deadLetterTargetArn: arn('tenantry-dead-letters'),
            maxReceiveCount: maxReceives,
          }),
        },
      }),
    );
  await Promise.all(['tenantry-intake', 'tenantry-journal', 'tenantry-ends'].map(create));
  return {
    intake: arn('tenantry-intake'),
    journal: arn('tenantry-journal'),
    ends: arn('tenantry-ends'),
    deadLetterUrl: deadLetterUrl!,
  };
};

/** The bus, and the rules from it and from the default one to the queues. */
export const createBus = async (events: EventBridgeClient, queues: Queues, target: Target): Promise<void> => {
  await ensure(() => events.send(new CreateEventBusCommand({ Name: busName })), 'ResourceAlreadyExistsException');
  for (const [bus, rule, pattern, queue] of [
    [busName, 'requests', requestPattern, queues.intake],
    [busName, 'journal', journalPattern, queues.journal],
    ['default', 'tenantry-ends', endPattern(machinePrefix(target)), queues.ends],
  ] as const) {
    await events.send(new PutRuleCommand({ Name: rule, EventBusName: bus, EventPattern: JSON.stringify(pattern) }));
    await events.send(new PutTargetsCommand({ Rule: rule, EventBusName: bus, Targets: [{ Id: 'queue', Arn: queue }] }));
  }
};

/** Puts the functions behind their queues, once. */
export const mapQueues = async (lambda: LambdaClient, queues: Queues): Promise<void> => {
  for (const [queue, name, batch] of [
    [queues.intake, 'StartWorkflow', 10],
    [queues.journal, 'RecordEvent', 10],
    [queues.ends, 'CloseOperation', 10],
  ] as const) {
    const { EventSourceMappings = [] } = await lambda.send(
      new ListEventSourceMappingsCommand({ EventSourceArn: queue }),
    );
    if (EventSourceMappings.length > 0) continue;
    await lambda.send(
      new CreateEventSourceMappingCommand({
        EventSourceArn: queue,
        FunctionName: functionName(name),
        BatchSize: batch,
        FunctionResponseTypes: ['ReportBatchItemFailures'],
        ScalingConfig: { MaximumConcurrency: 2 },
      }),
    );
  }
};
