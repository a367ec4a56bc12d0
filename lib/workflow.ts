import { readFileSync } from 'node:fs';
import type { IEventBus } from 'aws-cdk-lib/aws-events';
import { PolicyStatement } from 'aws-cdk-lib/aws-iam';
import type { IFunction } from 'aws-cdk-lib/aws-lambda';
import { LogGroup, RetentionDays } from 'aws-cdk-lib/aws-logs';
import type { IBucket } from 'aws-cdk-lib/aws-s3';
import { DefinitionBody, LogLevel, StateMachine, StateMachineType } from 'aws-cdk-lib/aws-stepfunctions';
import { RemovalPolicy, Stack } from 'aws-cdk-lib/core';
import { Construct } from 'constructs';
import { tasksCluster } from '../domain/deployment.ts';
import { type TaskStep, taskWorkflows } from '../domain/task-steps.ts';
import { machineName, nestedWorkflows, type StepName, type WorkflowName, workflows } from '../domain/workflows.ts';
import type { SharedPlatform } from './shared-platform.ts';
import type { Tasks } from './tasks.ts';

export interface WorkflowProps {
  readonly workflow: WorkflowName;
  readonly steps: Readonly<Record<StepName, IFunction>>;
  readonly bus: IEventBus;
  readonly platform: SharedPlatform;
  readonly tasks: Tasks;
}

const pascal = (kebab: string): string =>
  kebab.replaceAll(/(?:^|-)([a-z])/g, (_, letter: string) => letter.toUpperCase());

/** Where tasks run: in the subnets and the group of the functions, which reach the databases and nothing outside. */
const placesOf = ({ cluster }: Tasks, { vpc, functionsGroup }: SharedPlatform): Record<string, string> => ({
  TasksCluster: cluster.clusterArn,
  TasksSubnets: vpc.selectSubnets({ subnetGroupName: 'functions' }).subnetIds.join(','),
  TasksSecurityGroup: functionsGroup.securityGroupId,
});

/** One state machine from its ASL file: the holes filled, and a role that may call exactly what the file names. */
export class Workflow extends Construct {
  readonly stateMachine: StateMachine;

  constructor(scope: Construct, id: string, { workflow, steps, tasks, bus, platform }: WorkflowProps) {
    super(scope, id);
    const states: readonly StepName[] = workflows[workflow];
    const nested: readonly WorkflowName[] =
      (nestedWorkflows as Partial<Record<WorkflowName, readonly WorkflowName[]>>)[workflow] ?? [];
    const run: readonly TaskStep[] =
      (taskWorkflows as Partial<Record<WorkflowName, readonly TaskStep[]>>)[workflow] ?? [];
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
        ...(run.length > 0 ? placesOf(tasks, platform) : {}),
        ...Object.fromEntries(run.map((step) => [`${step}TaskDefinition`, tasks.definitions[step].taskDefinitionArn])),
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
    if (run.length > 0) this.allowTasks(tasks, run);
    if (text.includes('"DISTRIBUTED"')) this.allowMap(workflow, platform.archive);
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

  /** What `runTask.sync` needs: run, look, stop, hand over the two roles of the task, and the managed rule that tells of the end. */
  private allowTasks({ cluster, definitions }: Tasks, run: readonly TaskStep[]): void {
    const { partition, region, account } = Stack.of(this);
    const allow = (actions: string[], resources: string[], conditions: Record<string, object> = {}): void =>
      this.stateMachine.addToRolePolicy(new PolicyStatement({ actions, resources, conditions }));
    const own = run.map((step) => definitions[step]);
    const inCluster = { ArnEquals: { 'ecs:cluster': cluster.clusterArn } };
    allow(
      ['ecs:RunTask'],
      own.map(({ taskDefinitionArn }) => taskDefinitionArn),
      inCluster,
    );
    allow(
      ['ecs:StopTask', 'ecs:DescribeTasks'],
      [`arn:${partition}:ecs:${region}:${account}:task/${tasksCluster}/*`],
      inCluster,
    );
    allow(
      ['iam:PassRole'],
      own.flatMap(({ taskRole, executionRole }) => [
        taskRole.roleArn,
        ...(executionRole ? [executionRole.roleArn] : []),
      ]),
      { StringEquals: { 'iam:PassedToService': 'ecs-tasks.amazonaws.com' } },
    );
    allow(
      ['events:PutTargets', 'events:PutRule', 'events:DescribeRule'],
      [`arn:${partition}:events:${region}:${account}:rule/StepFunctionsGetEventsForECSTaskRule`],
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
