import { createHash } from 'node:crypto';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { Function as DeployedFunction, type IFunction } from 'aws-cdk-lib/aws-lambda';
import { LogGroup, RetentionDays } from 'aws-cdk-lib/aws-logs';
import { BucketDeployment, Source } from 'aws-cdk-lib/aws-s3-deployment';
import { Schedule, ScheduleExpression, ScheduleTargetInput } from 'aws-cdk-lib/aws-scheduler';
import { LambdaInvoke, StepFunctionsStartExecution } from 'aws-cdk-lib/aws-scheduler-targets';
import { ArnFormat, CfnOutput, CustomResource, RemovalPolicy, Stack, type StackProps } from 'aws-cdk-lib/core';
import { Provider } from 'aws-cdk-lib/custom-resources';
import type { Construct } from 'constructs';
import {
  allFunctions,
  appSchemaPrefix,
  domainSchedule,
  drillSchedule,
  expirySchedule,
  functionName,
  reapSchedule,
  sweepSchedule,
} from '../domain/deployment.ts';
import { plans } from '../domain/plans.ts';
import { type FunctionName, type WorkflowName, workflows } from '../domain/workflows.ts';
import { acknowledge } from './acknowledgements.ts';
import { Alarms } from './alarms.ts';
import { createOperatorHttp } from './operator-http.ts';
import type { Parameters } from './parameters.ts';
import type { SharedPlatform } from './shared-platform.ts';
import type { Steps } from './steps.ts';
import { Tasks } from './tasks.ts';
import { Workflow } from './workflow.ts';

export interface TenancyProps extends StackProps {
  readonly parameters: Parameters;
  readonly steps: Steps;
}

const schemaFolder = 'sample-app/schema';

const schemaDigest = (): string => {
  const hash = createHash('sha256');
  for (const file of readdirSync(schemaFolder).sort()) hash.update(readFileSync(join(schemaFolder, file)));
  return hash.digest('hex');
};

/** What holds the steps together and no state: machines, schedules, alarms, operator API. */
export class Tenancy extends Stack {
  constructor(scope: Construct, id: string, { parameters, steps, ...props }: TenancyProps) {
    super(scope, id, { ...props, description: 'Tenantry: workflows and what starts them' });
    this.addStackDependency(steps);
    const { places } = steps;
    const { platform, bus, deadLetters } = places;
    const created = Object.fromEntries(
      (Object.keys(allFunctions) as FunctionName[]).map((name) => [name, this.step(name)]),
    ) as Record<FunctionName, IFunction>;
    const tasks = new Tasks(this, 'Tasks', places);
    const machines = Object.fromEntries(
      (Object.keys(workflows) as WorkflowName[]).map((workflow) => [
        workflow,
        new Workflow(this, workflow, { workflow, steps: created, tasks, bus, platform }),
      ]),
    ) as Record<WorkflowName, Workflow>;
    this.schedulePlans(machines['back-up-fleet']);
    this.scheduleDaily(
      'DrillRestores',
      'Restores a sample of archives for trial',
      drillSchedule,
      machines['drill-restores'],
    );
    this.scheduleDaily(
      'ExpireBackups',
      'Deletes backups that no plan keeps',
      expirySchedule,
      machines['expire-backups'],
    );
    const runs = {
      ReapLeases: { schedule: reapSchedule, description: 'Ends operations whose end nobody told' },
      SweepMoves: { schedule: sweepSchedule, description: 'Looks after moves that nobody works on' },
      VerifyDomains: { schedule: domainSchedule, description: 'Looks at custom domains that wait for their proof' },
    } as const;
    for (const [name, { schedule, description }] of Object.entries(runs))
      new Schedule(this, `${name}Schedule`, {
        description,
        schedule: ScheduleExpression.expression(schedule),
        target: new LambdaInvoke(created[name as keyof typeof runs], {
          deadLetterQueue: deadLetters,
          retryAttempts: 0,
        }),
      });
    this.setUp(created.SetUp, platform, parameters);
    new Alarms(this, 'Alarms', { workflows: machines, deadLetters, email: parameters.alarmEmail });
    const api = createOperatorHttp(this, created.OperatorApi);
    new CfnOutput(this, 'OperatorApiUrl', { value: api.apiEndpoint });
    new CfnOutput(this, 'BusArn', { value: bus.eventBusArn });
    acknowledge(this);
  }

  /** By its name, not by an export of the other stack: an export in use would keep a step from being removed. */
  private step(name: FunctionName): IFunction {
    const functionArn = this.formatArn({
      service: 'lambda',
      resource: 'function',
      resourceName: functionName(name),
      arnFormat: ArnFormat.COLON_RESOURCE_NAME,
    });
    return DeployedFunction.fromFunctionAttributes(this, name, { functionArn, sameEnvironment: true });
  }

  /** One schedule per plan: the fleet backup of the plan's tenants. */
  private schedulePlans({ stateMachine }: Workflow): void {
    for (const [plan, { backupSchedule }] of Object.entries(plans))
      new Schedule(this, `BackUp-${plan}`, {
        description: `Backs up the tenants of plan ${plan} that are due`,
        schedule: ScheduleExpression.expression(backupSchedule),
        target: new StepFunctionsStartExecution(stateMachine, { input: ScheduleTargetInput.fromObject({ plan }) }),
      });
  }

  private scheduleDaily(id: string, description: string, expression: string, { stateMachine }: Workflow): void {
    new Schedule(this, `${id}Schedule`, {
      description,
      schedule: ScheduleExpression.expression(expression),
      target: new StepFunctionsStartExecution(stateMachine, { input: ScheduleTargetInput.fromObject({}) }),
    });
  }

  /** Registry migrations, roles and the pool's schema, at every deployment in which one of them changed. */
  private setUp(handler: IFunction, platform: SharedPlatform, parameters: Parameters): void {
    const schema = new BucketDeployment(this, 'AppSchema', {
      sources: [Source.asset(schemaFolder)],
      destinationBucket: platform.archive,
      destinationKeyPrefix: appSchemaPrefix,
      prune: false,
      logGroup: new LogGroup(this, 'AppSchemaLog', {
        retention: RetentionDays.ONE_MONTH,
        removalPolicy: RemovalPolicy.DESTROY,
      }),
    });
    const provider = new Provider(this, 'SetUpProvider', {
      onEventHandler: handler,
      logGroup: new LogGroup(this, 'SetUpProviderLog', {
        retention: RetentionDays.ONE_MONTH,
        removalPolicy: RemovalPolicy.DESTROY,
      }),
    });
    const { cluster, database, secretPrefix } = platform.pool;
    const resource = new CustomResource(this, 'SetUpRegistryAndPool', {
      serviceToken: provider.serviceToken,
      properties: {
        operation: 'set-up',
        masterSecretId: `${platform.registry.secretPrefix}/migrate`,
        schemaPrefix: appSchemaPrefix,
        cells: [
          {
            id: 'shared-1',
            region: parameters.region,
            host: cluster.clusterEndpoint.hostname,
            port: cluster.clusterEndpoint.port,
            database,
            secretPrefix,
            capacity: parameters.cellCapacity,
          },
        ],
        clusters: [
          {
            id: platform.sharedCluster.name,
            cell: 'shared-1',
            region: parameters.region,
            capacity: parameters.clusterCapacity,
          },
        ],
        /** A changed schema or code is what makes CloudFormation call again. */
        schema: schemaDigest(),
        registryMigrations: readdirSync('adapters/registry/migrations').sort().join(),
      },
    });
    resource.node.addDependency(schema);
  }
}
