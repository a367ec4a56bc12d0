import { Alarm, ComparisonOperator, type IMetric, TreatMissingData } from 'aws-cdk-lib/aws-cloudwatch';
import { SnsAction } from 'aws-cdk-lib/aws-cloudwatch-actions';
import { ServicePrincipal } from 'aws-cdk-lib/aws-iam';
import { Key } from 'aws-cdk-lib/aws-kms';
import { Topic } from 'aws-cdk-lib/aws-sns';
import { EmailSubscription } from 'aws-cdk-lib/aws-sns-subscriptions';
import type { IQueue } from 'aws-cdk-lib/aws-sqs';
import { Duration } from 'aws-cdk-lib/core';
import { Construct } from 'constructs';
import { type WorkflowName, workflows } from '../domain/workflows.ts';
import type { Workflow } from './workflow.ts';

export interface AlarmsProps {
  readonly workflows: Readonly<Record<WorkflowName, Workflow>>;
  readonly deadLetters: IQueue;
  readonly email: string | undefined;
}

/** Where a failed execution says more than that a run went wrong. */
const failureMeans: Readonly<Partial<Record<WorkflowName, string>>> = {
  'drill-restores':
    'an archive could not be restored in a drill (events RestoreDrillFailed name it), or the drill did not run',
};

/** Wakes somebody up: a refused event, or an execution that failed or timed out. docs/runbook.md says what to do. */
export class Alarms extends Construct {
  private readonly topic: Topic;

  constructor(scope: Construct, id: string, { workflows: machines, deadLetters, email }: AlarmsProps) {
    super(scope, id);
    const key = new Key(this, 'Key', { enableKeyRotation: true, description: 'Alarms of Tenantry' });
    key.grantEncryptDecrypt(new ServicePrincipal('cloudwatch.amazonaws.com'));
    this.topic = new Topic(this, 'Topic', { masterKey: key, enforceSSL: true });
    if (email) this.topic.addSubscription(new EmailSubscription(email));
    const period = Duration.minutes(1);
    this.alarm(
      'DeadLetters',
      deadLetters.metricApproximateNumberOfMessagesVisible({ period }),
      'an event was refused or could not be delivered',
    );
    for (const name of Object.keys(workflows) as WorkflowName[]) {
      const { stateMachine } = machines[name];
      this.alarm(
        `${name}-failed`,
        stateMachine.metricFailed({ period }),
        failureMeans[name] ?? `an execution of ${name} failed`,
      );
      this.alarm(`${name}-timed-out`, stateMachine.metricTimedOut({ period }), `an execution of ${name} timed out`);
    }
  }

  private alarm(id: string, metric: IMetric, what: string): void {
    new Alarm(this, id, {
      metric,
      threshold: 1,
      evaluationPeriods: 1,
      comparisonOperator: ComparisonOperator.GREATER_THAN_OR_EQUAL_TO_THRESHOLD,
      treatMissingData: TreatMissingData.NOT_BREACHING,
      alarmDescription: `Tenantry: ${what}. See docs/runbook.md.`,
    }).addAlarmAction(new SnsAction(this.topic));
  }
}
