import { createHash } from 'node:crypto';
import { readFileSync, statSync } from 'node:fs';
import type {
  FunctionConfiguration,
  GetFunctionRequest,
  GetFunctionResponse,
  InvocationRequest,
  InvocationResponse,
  ListFunctionsRequest,
  ListFunctionsResponse,
} from '@aws-sdk/client-lambda';
import * as client from '@aws-sdk/client-lambda';
import { type SchemaService, ServiceError } from '../gateway/service.ts';
import { eventPayloadLimit, type FunctionDefinition, parseFunctionName } from '../lambda/definition.ts';
import { createRuntime, type RuntimeOptions } from '../lambda/runtime.ts';
import type { FunctionInvoker } from '../ports.ts';

export interface LambdaService extends SchemaService {
  /** Makes a function known or replaces it, and answers its ARN. */
  define(definition: FunctionDefinition): string;
  /** In-process callers are queued, never throttled, until the pool's queue bound. */
  readonly invoker: FunctionInvoker;
  close(): Promise<void>;
}

export interface LambdaServiceOptions extends RuntimeOptions {
  /** Milliseconds before the second and third try of a failed asynchronous invocation; AWS waits 1 and 2 minutes. */
  readonly eventRetryDelays?: readonly number[];
}

/** Bytes of the log's end that `LogType: Tail` answers. */
const tailLimit = 4_096;
const latest = '$LATEST';

const notFound = (functionArn: string): ServiceError =>
  new ServiceError('ResourceNotFoundException', `Function not found: ${functionArn}`, {
    status: 404,
    members: { Type: 'User' },
  });

const badContent = (reason: string): ServiceError =>
  new ServiceError('InvalidRequestContentException', `Could not parse request body into json: ${reason}`, {
    members: { Type: 'User' },
  });

const jsonText = (payload: Uint8Array | undefined): string => {
  const text = payload && payload.length > 0 ? Buffer.from(payload).toString('utf8') : '{}';
  try {
    JSON.parse(text);
  } catch (error) {
    throw badContent((error as Error).message);
  }
  return text;
};

const oneOf = (member: string, value: string, allowed: readonly string[]): string => {
  if (allowed.includes(value)) return value;
  const message = `Value '${value}' at '${member}' failed to satisfy constraint: Member must satisfy enum value set: [${allowed.join(', ')}]`;
  throw new ServiceError('ValidationException', `1 validation error detected: ${message}`);
};

const tailOf = (lines: readonly string[], requestId: string, milliseconds: number, memory: number): string => {
  const duration = milliseconds.toFixed(2);
  const report = `REPORT RequestId: ${requestId}\tDuration: ${duration} ms\tBilled Duration: ${Math.ceil(milliseconds)} ms\tMemory Size: ${memory} MB`;
  const log = [`START RequestId: ${requestId} Version: ${latest}`, ...lines, `END RequestId: ${requestId}`, report];
  return Buffer.from(`${log.join('\n')}\n`)
    .subarray(-tailLimit)
    .toString('base64');
};

/** Keeps as much of the log's end as the answer can hold. */
const collectTail = (): { lines: string[]; onLine: (line: string) => void } => {
  const lines: string[] = [];
  let size = 0;
  const onLine = (line: string): void => {
    lines.push(line);
    size += line.length + 1;
    while (size > tailLimit && lines.length > 1) size -= (lines.shift()?.length ?? 0) + 1;
  };
  return { lines, onLine };
};

/**
 * Lambda over child processes: Invoke in its three types, and what tools read about functions. Functions come from
 * `define`, in process; asynchronous invocations live in memory and do not survive a restart.
 */
export const createLambdaService = (options: LambdaServiceOptions): LambdaService => {
  const { region, accountId, eventRetryDelays = [60_000, 120_000] } = options;
  const runtime = createRuntime(options);
  const { pool } = runtime;
  const definedAt = new Map<string, Date>();
  const retries = new Set<NodeJS.Timeout>();
  const arnOf = (name: string): string => `arn:aws:lambda:${region}:${accountId}:function:${name}`;

  const resolve = (text: string, qualifier?: string): { definition: FunctionDefinition; functionArn: string } => {
    const parsed = parseFunctionName(text);
    const definition = parsed && pool.find(parsed.name);
    const version = qualifier ?? parsed?.qualifier;
    const base = parsed ? arnOf(parsed.name) : text;
    const functionArn = version ? `${base}:${version}` : base;
    if (!definition || (version !== undefined && version !== latest)) throw notFound(functionArn);
    return { definition, functionArn };
  };

  const runEvent = async (name: string, payload: string, functionArn: string, attempt = 0): Promise<void> => {
    const { invocation } = await runtime.run(name, payload, { functionArn });
    const delay = eventRetryDelays[attempt];
    if (!invocation.functionError) return;
    options.log(name, `asynchronous invocation failed (attempt ${attempt + 1}): ${invocation.payload}`);
    if (delay === undefined) return;
    const timer = setTimeout(() => {
      retries.delete(timer);
      startEvent(name, payload, functionArn, attempt + 1);
    }, delay);
    retries.add(timer);
  };
  const startEvent = (name: string, payload: string, functionArn: string, attempt = 0): void => {
    runEvent(name, payload, functionArn, attempt).catch((error: Error) =>
      options.log(name, `asynchronous invocation was not run: ${error.message}`),
    );
  };

  const invokeEvent = (name: string, payload: string, functionArn: string): InvocationResponse => {
    const size = Buffer.byteLength(payload);
    if (size > eventPayloadLimit) {
      const text = `${size} byte payload is too large for the Event invocation type (limit ${eventPayloadLimit} bytes)`;
      throw new ServiceError('RequestTooLargeException', text, { members: { Type: 'User' } });
    }
    startEvent(name, payload, functionArn);
    return { StatusCode: 202 };
  };

  const invoke = async (input: InvocationRequest, signal: AbortSignal): Promise<InvocationResponse> => {
    const { definition, functionArn } = resolve(input.FunctionName ?? '', input.Qualifier);
    const type = oneOf('invocationType', input.InvocationType ?? 'RequestResponse', [
      'Event',
      'RequestResponse',
      'DryRun',
    ]);
    const logType = oneOf('logType', input.LogType ?? 'None', ['None', 'Tail']);
    const payload = jsonText(input.Payload as Uint8Array | undefined);
    const { name, memory, reservedConcurrency } = definition;
    if (type === 'DryRun') return { StatusCode: 204 };
    if (type === 'Event') return invokeEvent(name, payload, functionArn);
    if (!pool.hasRoom(name)) {
      throw new ServiceError(
        'TooManyRequestsException',
        `Rate Exceeded: ${name} runs ${reservedConcurrency} times already.`,
        {
          members: {
            Type: 'User',
            Reason: 'ReservedFunctionConcurrentInvocationLimitExceeded',
            retryAfterSeconds: '1',
          },
        },
      );
    }
    const tail = logType === 'Tail' ? collectTail() : undefined;
    const run = await runtime.run(name, payload, { functionArn, signal, onLine: tail?.onLine });
    return {
      StatusCode: 200,
      ExecutedVersion: latest,
      FunctionError: run.invocation.functionError,
      Payload: run.invocation.payload as unknown as InvocationResponse['Payload'],
      LogResult: tail && tailOf(tail.lines, run.requestId, run.milliseconds, memory),
    };
  };

  const configuration = (definition: FunctionDefinition): FunctionConfiguration => {
    const { name, file, handler, timeout, memory, environment, role } = definition;
    return {
      FunctionName: name,
      FunctionArn: arnOf(name),
      Runtime: 'nodejs24.x',
      Role: role ?? `arn:aws:iam::${accountId}:role/${name}`,
      Handler: `index.${handler}`,
      CodeSize: statSync(file).size,
      CodeSha256: createHash('sha256').update(readFileSync(file)).digest('base64'),
      Timeout: timeout,
      MemorySize: memory,
      LastModified: definedAt.get(name)?.toISOString(),
      Version: latest,
      Environment: { Variables: { ...environment } },
      TracingConfig: { Mode: 'PassThrough' },
      State: 'Active',
      LastUpdateStatus: 'Successful',
      PackageType: 'Zip',
      Architectures: [process.arch === 'arm64' ? 'arm64' : 'x86_64'],
    };
  };

  const getFunction = (input: GetFunctionRequest): GetFunctionResponse => {
    const { definition } = resolve(input.FunctionName ?? '', input.Qualifier);
    const { reservedConcurrency } = definition;
    return {
      Configuration: configuration(definition),
      Code: { RepositoryType: 'S3', Location: `file://${definition.file}` },
      Concurrency:
        reservedConcurrency === undefined ? undefined : { ReservedConcurrentExecutions: reservedConcurrency },
    };
  };

  const listFunctions = ({ Marker, MaxItems = 50 }: ListFunctionsRequest): ListFunctionsResponse => {
    const sorted = pool.list().sort((a, b) => (a.name < b.name ? -1 : 1));
    const rest = Marker === undefined ? sorted : sorted.filter(({ name }) => name > Marker);
    const page = rest.slice(0, Math.max(1, Math.min(50, MaxItems)));
    return {
      Functions: page.map(configuration),
      NextMarker: page.length < rest.length ? page.at(-1)?.name : undefined,
    };
  };

  return {
    kind: 'schema',
    signingName: 'lambda',
    protocol: 'restJson1',
    client,
    operations: {
      Invoke: (input, call) => invoke(input, call.signal),
      GetFunction: getFunction,
      GetFunctionConfiguration: (input: GetFunctionRequest) =>
        configuration(resolve(input.FunctionName ?? '', input.Qualifier).definition),
      ListFunctions: listFunctions,
    },
    define(definition) {
      definedAt.set(definition.name, new Date());
      pool.define(definition);
      return arnOf(definition.name);
    },
    invoker: {
      async invoke(text, payload, { signal } = {}) {
        const { definition, functionArn } = resolve(text);
        return (await runtime.run(definition.name, payload, { functionArn, signal })).invocation;
      },
    },
    async close() {
      for (const timer of retries) clearTimeout(timer);
      await runtime.close();
    },
  };
};
