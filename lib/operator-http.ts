import { AccessLogFormat } from 'aws-cdk-lib/aws-apigateway';
import { HttpApi, HttpMethod, HttpStage, LogGroupLogDestination } from 'aws-cdk-lib/aws-apigatewayv2';
import { HttpIamAuthorizer } from 'aws-cdk-lib/aws-apigatewayv2-authorizers';
import { HttpLambdaIntegration } from 'aws-cdk-lib/aws-apigatewayv2-integrations';
import type { IFunction } from 'aws-cdk-lib/aws-lambda';
import { LogGroup, RetentionDays } from 'aws-cdk-lib/aws-logs';
import { RemovalPolicy } from 'aws-cdk-lib/core';
import type { Construct } from 'constructs';

/** The operator API behind HTTP: every route wants a SigV4 signature of somebody who may call it. */
export const createOperatorHttp = (scope: Construct, handler: IFunction): HttpApi => {
  const api = new HttpApi(scope, 'OperatorHttp', {
    description: 'Operator API of Tenantry',
    createDefaultStage: false,
    defaultAuthorizer: new HttpIamAuthorizer(),
  });
  new HttpStage(scope, 'OperatorStage', {
    httpApi: api,
    autoDeploy: true,
    throttle: { rateLimit: 20, burstLimit: 40 },
    accessLogSettings: {
      destination: new LogGroupLogDestination(
        new LogGroup(scope, 'OperatorLog', { retention: RetentionDays.ONE_YEAR, removalPolicy: RemovalPolicy.RETAIN }),
      ),
      format: AccessLogFormat.custom(
        JSON.stringify({
          requestId: '$context.requestId',
          time: '$context.requestTime',
          caller: '$context.identity.userArn',
          method: '$context.httpMethod',
          path: '$context.path',
          status: '$context.status',
        }),
      ),
    },
  });
  api.addRoutes({
    path: '/api/v1/{proxy+}',
    methods: [HttpMethod.GET, HttpMethod.POST, HttpMethod.DELETE],
    integration: new HttpLambdaIntegration('Operator', handler),
  });
  return api;
};
