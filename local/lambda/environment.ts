import type { TemporaryCredential } from '../gateway/credentials.ts';
import type { FunctionDefinition } from './definition.ts';

/**
 * The whole environment of a child process: what Lambda sets, what the function declares, and PATH and TMPDIR. Nothing
 * of our own environment leaks in. https://docs.aws.amazon.com/lambda/latest/dg/configuration-envvars.html
 */
export const functionEnvironment = (
  definition: FunctionDefinition,
  options: {
    region: string;
    endpoint: string;
    credential: TemporaryCredential;
    scratch: string;
    compileCache: string;
    taskRoot: string;
  },
): Record<string, string> => {
  const { region, endpoint, credential, scratch, compileCache, taskRoot } = options;
  const { name, handler, memory, environment } = definition;
  return {
    LANG: 'en_US.UTF-8',
    TZ: 'UTC',
    NODE_COMPILE_CACHE: compileCache,
    ...environment,
    AWS_REGION: region,
    AWS_DEFAULT_REGION: region,
    AWS_ACCESS_KEY_ID: credential.accessKeyId,
    AWS_SECRET_ACCESS_KEY: credential.secretAccessKey,
    AWS_SESSION_TOKEN: credential.sessionToken,
    AWS_ENDPOINT_URL: endpoint,
    AWS_EXECUTION_ENV: 'AWS_Lambda_nodejs24.x',
    AWS_LAMBDA_FUNCTION_NAME: name,
    AWS_LAMBDA_FUNCTION_VERSION: '$LATEST',
    AWS_LAMBDA_FUNCTION_MEMORY_SIZE: String(memory),
    AWS_LAMBDA_INITIALIZATION_TYPE: 'on-demand',
    AWS_LAMBDA_LOG_GROUP_NAME: `/aws/lambda/${name}`,
    AWS_LAMBDA_LOG_STREAM_NAME: `[$LATEST]${credential.accessKeyId.toLowerCase()}`,
    LAMBDA_TASK_ROOT: taskRoot,
    _HANDLER: `index.${handler}`,
    PATH: process.env.PATH ?? '/usr/local/bin:/usr/bin:/bin',
    TMPDIR: scratch,
  };
};
