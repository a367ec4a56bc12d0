import { readFileSync } from 'node:fs';
import type { IEventBus } from 'aws-cdk-lib/aws-events';
import { PolicyStatement } from 'aws-cdk-lib/aws-iam';
import type { IFunction } from 'aws-cdk-lib/aws-lambda';
import { LogGroup, RetentionDays } from 'aws-cdk-lib/aws-logs';
import type { IBucket } from 'aws-cdk-lib/aws-s3';
import { DefinitionBody, LogLevel, StateMachine, StateMachineType } from 'aws-cdk-lib/aws-stepfunctions';
import { RemovalPolicy, Stack } from 'aws-cdk-lib/core';
import { Construct } from 'constructs';
import { machineName, nestedWorkflows, type StepName, type WorkflowName, workflows } from '../domain/workflows.ts';

export interface WorkflowProps {
  readonly workflow: WorkflowName;
  readonly steps: Readonly<Record<StepName, IFunction>>;
  readonly bus: IEventBus;
  readonly archive: IBucket;
}

const pascal = (kebab: string): string =>
  kebab.replaceAll(/(?:^|-)([a-z])/g, (_, letter: string) => letter.toUpperCase());

/** One state machine from its ASL file: the holes filled, and a role that may call exactly what the file names. */
export class Workflow extends Construct {
  readonly stateMachine: StateMachine;

  constructor(scope: Construct, id: string, { workflow, steps, bus, archive }: WorkflowProps) {
    super(scope, id);
    const states: readonly StepName[] = workflows[workflow];
    const nested: readonly WorkflowName[] =
      (nestedWorkflows as Partial<Record<WorkflowName, readonly WorkflowName[]>>)[workflow] ?? [];
    const text = readFileSync(`state-machines/${workflow}.asl.json`, 'utf8');
    const publishes = /\$\{BusName\}/.test(text);
    this.stateMachine = new StateMachine(this, 'StateMachine', {
      stateMachineName: machineName(workflow),
      stateMachineType: StateMachineType.STANDARD,
      definitionBody: DefinitionBody.fromString(text),
      definitionSubstitutions: {
        ...(publishes ? { BusName: bus.eventBusName } : {}),
        ...Object.fromEntries(states.map((state) => [`${state}Arn`, steps[state].functionArn])),
        ...Object.fromEntries(
          nested.map((name) => [`${pascal(name)}MachineArn`, this.arn('stateMachine', machineName(name))]),
        ),
      },
      tracingEnabled: true,
      logs: {
        destination: new LogGroup(this, 'Log', {
          logGroupName: `/aws/vendedlogs/states/${machineName(workflow)}`,
          retention: RetentionDays.THREE_MONTHS,
          removalPolicy: RemovalPolicy.DESTROY,
        }),
        level: LogLevel.ALL,
        includeExecutionData: false,
      },
    });
    // Not grantInvoke: that also allows every version and alias (`arn:*`), and the machines call the function itself alone.
    this.stateMachine.addToRolePolicy(
      new PolicyStatement({
        actions: ['lambda:InvokeFunction'],
        resources: states.map((state) => steps[state].functionArn),
      }),
    );
    if (publishes) bus.grantPutEventsTo(this.stateMachine);
    if (nested.length > 0) this.allowNested(nested);
    if (text.includes('"DISTRIBUTED"')) this.allowMap(workflow, archive);
  }

  private arn(kind: 'stateMachine' | 'execution', name: string): string {
    const { partition, region, account } = Stack.of(this);
    return `arn:${partition}:states:${region}:${account}:${kind}:${name}`;
  }

  /** What `startExecution.sync:2` needs: start, look, stop, and the managed rule that tells of the end. */
  private allowNested(nested: readonly WorkflowName[]): void {
    const { partition, region, account } = Stack.of(this);
    const allow = (actions: string[], resources: string[]): void =>
      this.stateMachine.addToRolePolicy(new PolicyStatement({ actions, resources }));
    allow(
      ['states:StartExecution'],
      nested.map((name) => this.arn('stateMachine', machineName(name))),
    );
    allow(
      ['states:DescribeExecution', 'states:StopExecution'],
      nested.map((name) => this.arn('execution', `${machineName(name)}:*`)),
    );
    allow(
      ['events:PutTargets', 'events:PutRule', 'events:DescribeRule'],
      [`arn:${partition}:events:${region}:${account}:rule/StepFunctionsGetEventsForStepFunctionsExecutionRule`],
    );
  }

  /** A distributed map starts its own machine's children and reads its items from the archive bucket. */
  private allowMap(workflow: WorkflowName, archive: IBucket): void {
    const name = machineName(workflow);
    this.stateMachine.addToRolePolicy(
      new PolicyStatement({ actions: ['states:StartExecution'], resources: [this.arn('stateMachine', name)] }),
    );
    this.stateMachine.addToRolePolicy(
      new PolicyStatement({
        actions: ['states:DescribeExecution', 'states:StopExecution', 'states:RedriveExecution'],
        resources: [this.arn('execution', `${name}/*`)],
      }),
    );
    this.stateMachine.addToRolePolicy(
      new PolicyStatement({ actions: ['s3:GetObject'], resources: [archive.arnForObjects('fleet/*')] }),
    );
  }
}
