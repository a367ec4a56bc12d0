import { EventBus, Rule, type RuleProps } from 'aws-cdk-lib/aws-events';
import { SqsQueue } from 'aws-cdk-lib/aws-events-targets';
import type { IFunction } from 'aws-cdk-lib/aws-lambda';
import { SqsEventSource } from 'aws-cdk-lib/aws-lambda-event-sources';
import { Queue, QueueEncryption } from 'aws-cdk-lib/aws-sqs';
import { Duration } from 'aws-cdk-lib/core';
import { Construct } from 'constructs';
import {
  busName,
  endPattern,
  intakeVisibilitySeconds,
  journalPattern,
  maxReceives,
  requestPattern,
} from '../domain/deployment.ts';
import { machinePrefix } from './reach.ts';

interface Consumers {
  readonly startWorkflow: IFunction;
  readonly recordEvent: IFunction;
  readonly closeOperation: IFunction;
}

/** The bus, and the way of an event: rule, queue, function; what cannot be taken ends in one dead-letter queue. */
export class TenantEvents extends Construct {
  readonly bus: EventBus;
  readonly deadLetters: Queue;
  private readonly intake: Queue;
  private readonly journal: Queue;
  private readonly ends: Queue;

  constructor(scope: Construct, id: string) {
    super(scope, id);
    this.bus = new EventBus(this, 'Bus', {
      eventBusName: busName,
      description: 'What tenants ask for and what became of it',
    });
    this.deadLetters = this.queue('DeadLetters', { retentionPeriod: Duration.days(14) });
    const source = {
      visibilityTimeout: Duration.seconds(intakeVisibilitySeconds),
      deadLetterQueue: { queue: this.deadLetters, maxReceiveCount: maxReceives },
    };
    this.intake = this.queue('Intake', source);
    this.journal = this.queue('Journal', source);
    this.ends = this.queue('Ends', source);
    this.route('Requests', { eventBus: this.bus, eventPattern: requestPattern }, this.intake);
    this.route('JournalEvents', { eventBus: this.bus, eventPattern: journalPattern }, this.journal);
    const { source: states, 'detail-type': detailType, detail } = endPattern(machinePrefix(this));
    this.route('ExecutionEnds', { eventPattern: { source: states, detailType, detail } }, this.ends);
  }

  /** Attaches the functions behind the queues; failed messages alone are handed out again. */
  consume({ startWorkflow, recordEvent, closeOperation }: Consumers): void {
    const options = { batchSize: 10, reportBatchItemFailures: true };
    startWorkflow.addEventSource(new SqsEventSource(this.intake, { ...options, maxConcurrency: 10 }));
    recordEvent.addEventSource(new SqsEventSource(this.journal, { ...options, maxConcurrency: 2 }));
    closeOperation.addEventSource(new SqsEventSource(this.ends, { ...options, maxConcurrency: 2 }));
  }

  private queue(id: string, props: Partial<ConstructorParameters<typeof Queue>[2]>): Queue {
    return new Queue(this, id, { encryption: QueueEncryption.SQS_MANAGED, enforceSSL: true, ...props });
  }

  /** Without a bus the rule is on the account's default one, where AWS services speak. */
  private route(id: string, from: Pick<RuleProps, 'eventBus' | 'eventPattern'>, queue: Queue): void {
    new Rule(this, id, {
      ...from,
      targets: [
        new SqsQueue(queue, { deadLetterQueue: this.deadLetters, retryAttempts: 185, maxEventAge: Duration.hours(24) }),
      ],
    });
  }
}
