import { EventBus, Rule } from 'aws-cdk-lib/aws-events';
import { SqsQueue } from 'aws-cdk-lib/aws-events-targets';
import type { IFunction } from 'aws-cdk-lib/aws-lambda';
import { SqsEventSource } from 'aws-cdk-lib/aws-lambda-event-sources';
import { Queue, QueueEncryption } from 'aws-cdk-lib/aws-sqs';
import { Duration } from 'aws-cdk-lib/core';
import { Construct } from 'constructs';
import { busName, intakeVisibilitySeconds, journalPattern, maxReceives, requestPattern } from '../domain/deployment.ts';

/** The bus, and the way of an event: rule, queue, function; what cannot be taken ends in one dead-letter queue. */
export class TenantEvents extends Construct {
  readonly bus: EventBus;
  readonly deadLetters: Queue;
  private readonly intake: Queue;
  private readonly journal: Queue;

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
    this.route('Requests', requestPattern, this.intake);
    this.route('JournalEvents', journalPattern, this.journal);
  }

  /** Attaches the functions behind the two queues; failed messages alone are handed out again. */
  consume({ startWorkflow, recordEvent }: { startWorkflow: IFunction; recordEvent: IFunction }): void {
    const options = { batchSize: 10, reportBatchItemFailures: true };
    startWorkflow.addEventSource(new SqsEventSource(this.intake, { ...options, maxConcurrency: 10 }));
    recordEvent.addEventSource(new SqsEventSource(this.journal, { ...options, maxConcurrency: 2 }));
  }

  private queue(id: string, props: Partial<ConstructorParameters<typeof Queue>[2]>): Queue {
    return new Queue(this, id, { encryption: QueueEncryption.SQS_MANAGED, enforceSSL: true, ...props });
  }

  private route(id: string, { source }: { source: string[] }, queue: Queue): void {
    new Rule(this, id, {
      eventBus: this.bus,
      eventPattern: { source },
      targets: [
        new SqsQueue(queue, { deadLetterQueue: this.deadLetters, retryAttempts: 185, maxEventAge: Duration.hours(24) }),
      ],
    });
  }
}
