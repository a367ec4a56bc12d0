import { handle } from 'hono/aws-lambda';
import { operatorApi } from './operator-api/app.ts';
import { worldOfProcess } from './step.ts';

/** Behind an HTTP API of API Gateway, payload format 2.0. */
export const handler = handle(operatorApi(worldOfProcess));
