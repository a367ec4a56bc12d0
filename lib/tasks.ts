import {
  Cluster,
  ContainerImage,
  ContainerInsights,
  CpuArchitecture,
  FargateTaskDefinition,
  type ICluster,
  LogDriver,
  OperatingSystemFamily,
} from 'aws-cdk-lib/aws-ecs';
import type { PolicyStatement } from 'aws-cdk-lib/aws-iam';
import { LogGroup, RetentionDays } from 'aws-cdk-lib/aws-logs';
import { Duration, RemovalPolicy } from 'aws-cdk-lib/core';
import { Construct } from 'constructs';
import { environmentOf, taskContainer, taskFamily, tasksCluster } from '../domain/deployment.ts';
import { type TaskStep, tasks } from '../domain/task-steps.ts';
import { steps } from '../domain/workflows.ts';
import { postgresClients } from './images/postgres-clients.ts';
import { environmentOfPlaces, grantReach, type Places } from './reach.ts';
import { tls } from './step-function.ts';

/** Fargate's longest: what a step needs to end its transaction and say so. */
const stopTimeout = Duration.seconds(120);

/** Steps as container tasks, for tenants whose rows take longer than a Lambda lives: each with the reach of its step. */
export class Tasks extends Construct {
  readonly cluster: ICluster;
  readonly definitions: Readonly<Record<TaskStep, FargateTaskDefinition>>;

  constructor(scope: Construct, id: string, places: Places) {
    super(scope, id);
    this.cluster = new Cluster(this, 'Cluster', {
      clusterName: tasksCluster,
      vpc: places.platform.vpc,
      containerInsightsV2: ContainerInsights.ENABLED,
    });
    this.definitions = Object.fromEntries(
      (Object.keys(tasks) as TaskStep[]).map((step) => [step, this.define(step, places)]),
    ) as Record<TaskStep, FargateTaskDefinition>;
  }

  private define(step: TaskStep, places: Places): FargateTaskDefinition {
    const { seconds, cpu, memory } = tasks[step];
    const { reach } = steps[step];
    const definition = new FargateTaskDefinition(this, step, {
      family: taskFamily(step),
      cpu,
      memoryLimitMiB: memory,
      runtimePlatform: { cpuArchitecture: CpuArchitecture.ARM64, operatingSystemFamily: OperatingSystemFamily.LINUX },
    });
    definition.addContainer(taskContainer, {
      // One image for every task, Lambda's of the step that dumps: here its runtime is left out, and the program beside the handler
      // is run by its Node.
      image: ContainerImage.fromAsset('.', postgresClients(steps.DumpDatabase.entry)),
      entryPoint: ['/var/lang/bin/node', '--enable-source-maps', 'task.mjs'],
      workingDirectory: '/var/task',
      environment: {
        ...environmentOf(steps[step], environmentOfPlaces(places)),
        ...tls,
        STEP: step,
        STEP_SECONDS: String(seconds),
      },
      stopTimeout,
      logging: LogDriver.awsLogs({
        streamPrefix: taskContainer,
        logGroup: new LogGroup(this, `${step}Log`, {
          retention: RetentionDays.THREE_MONTHS,
          removalPolicy: RemovalPolicy.DESTROY,
        }),
      }),
    });
    const role = definition.taskRole;
    const addToRolePolicy = (statement: PolicyStatement): void => void role.addToPrincipalPolicy(statement);
    grantReach({ grantPrincipal: role.grantPrincipal, addToRolePolicy }, reach, places);
    return definition;
  }
}
