import { randomUUID } from 'node:crypto';
import { ServiceError } from '../../gateway/service.ts';
import { StateFailure } from '../failure.ts';
import type { Scope } from '../scope.ts';
import type { World } from '../world.ts';

/** AWS's wording around an error of a service that a task called. */
export const serviceCause = (service: string, name: string, message: string): string =>
  `${message} (Service: ${service}; Status Code: 400; Error Code: ${name}; Request ID: ${randomUUID()}; Proxy: null)`;

const errorTypeOf = (payload: string): string | undefined => {
  try {
    const parsed: unknown = JSON.parse(payload);
    if (typeof parsed === 'object' && parsed !== null && 'errorType' in parsed) return String(parsed.errorType);
  } catch {
    // A runtime that died may answer no JSON at all.
  }
  return undefined;
};

/**
 * Promise: the JSON text that the function answers. Its own failure becomes Error = `errorType` and Cause = the whole payload,
 * as on AWS; a refusal of the service becomes `Lambda.<name>`, which the machines retry.
 */
export const invokeFunction = async (world: World, arn: string, input: string, scope: Scope): Promise<string> => {
  const abort = new AbortController();
  const stop = scope.onAbort(() => abort.abort());
  try {
    const answer = await world.integrations.functions.invoke(arn, input, { signal: abort.signal });
    if (answer.functionError) {
      throw new StateFailure(errorTypeOf(answer.payload) ?? 'Lambda.Unknown', answer.payload);
    }
    return answer.payload === '' ? 'null' : answer.payload;
  } catch (error) {
    if (error instanceof StateFailure) throw error;
    if (error instanceof ServiceError) {
      throw new StateFailure(`Lambda.${error.name}`, serviceCause('AWSLambda', error.name, error.message));
    }
    throw new StateFailure('Lambda.SdkClientException', error instanceof Error ? error.message : String(error));
  } finally {
    stop();
  }
};

const parameter = (parameters: unknown, name: string): unknown =>
  typeof parameters === 'object' && parameters !== null ? (parameters as Record<string, unknown>)[name] : undefined;

/** `lambda:invoke`: the answer is wrapped as the Invoke API wraps it. */
export const invokeService = async (world: World, parameters: unknown, scope: Scope): Promise<unknown> => {
  const name = parameter(parameters, 'FunctionName');
  if (typeof name !== 'string' || name === '') {
    throw new StateFailure(
      'States.Runtime',
      `Arguments.FunctionName of lambda:invoke is ${JSON.stringify(name)}, give the ARN of a function`,
    );
  }
  const arn = name.startsWith('arn:') ? name : `arn:aws:lambda:${world.region}:${world.accountId}:function:${name}`;
  const text = await invokeFunction(world, arn, JSON.stringify(parameter(parameters, 'Payload') ?? {}), scope);
  return {
    ExecutedVersion: '$LATEST',
    Payload: JSON.parse(text),
    SdkHttpMetadata: { HttpStatusCode: 200 },
    SdkResponseMetadata: { RequestId: randomUUID() },
    StatusCode: 200,
  };
};
