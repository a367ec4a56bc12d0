import {
  Architecture,
  DockerImageCode,
  DockerImageFunction,
  type Function as LambdaFunction,
  Runtime,
  Tracing,
} from 'aws-cdk-lib/aws-lambda';
import { NodejsFunction, OutputFormat } from 'aws-cdk-lib/aws-lambda-nodejs';
import { LogGroup, RetentionDays } from 'aws-cdk-lib/aws-logs';
import { Duration, RemovalPolicy } from 'aws-cdk-lib/core';
import type { Construct } from 'constructs';
import { environmentOf, functionName } from '../domain/deployment.ts';
import { handlerBundle } from '../domain/handler-bundle.ts';
import type { FunctionName, Handler } from '../domain/workflows.ts';
import { postgresClients } from './images/postgres-clients.ts';
import { environmentOfPlaces, grantReach, type Places } from './reach.ts';

/** The pinned trust store for TLS to Aurora; `pg` reads PGSSLMODE itself. */
export const tls = { PGSSLMODE: 'verify-full', NODE_EXTRA_CA_CERTS: '/var/runtime/ca-cert.pem' };

/** The Lambda function of one handler of the workflow table, with the environment and grants of its reach and no others. */
export const createStepFunction = (
  scope: Construct,
  name: FunctionName,
  handler: Handler,
  places: Places,
): LambdaFunction => {
  const shared = {
    functionName: functionName(name),
    description: `${handler.entry}`,
    architecture: Architecture.ARM_64,
    timeout: Duration.seconds(handler.timeout),
    memorySize: handler.memory,
    environment: {
      ...environmentOf(handler, environmentOfPlaces(places)),
      ...tls,
      NODE_OPTIONS: '--enable-source-maps',
    },
    vpc: places.platform.vpc,
    vpcSubnets: { subnetGroupName: 'functions' },
    securityGroups: [places.platform.functionsGroup],
    tracing: Tracing.ACTIVE,
    logGroup: new LogGroup(scope, `${name}Log`, {
      retention: RetentionDays.THREE_MONTHS,
      removalPolicy: RemovalPolicy.DESTROY,
    }),
  };
  const created = handler.clients
    ? new DockerImageFunction(scope, name, {
        ...shared,
        code: DockerImageCode.fromImageAsset('.', postgresClients(handler.entry)),
      })
    : new NodejsFunction(scope, name, {
        ...shared,
        entry: handler.entry,
        depsLockFilePath: 'package-lock.json',
        runtime: Runtime.NODEJS_24_X,
        bundling: {
          format: OutputFormat.ESM,
          minify: true,
          sourceMap: true,
          ...handlerBundle,
          externalModules: ['pg-native'],
        },
      });
  grantReach(created, handler.reach, places);
  return created;
};
