// Runs alone in every child process, with its types stripped into one file: it may import types and node:* only.
import { flushCompileCache } from 'node:module';
import { pathToFileURL } from 'node:url';
import type { ChildMessage, FunctionError, InvokeMessage } from './messages.ts';

const [, , file = '', handlerName = ''] = process.argv;

type Handler = (event: unknown, context: object) => unknown;

const send = (message: ChildMessage, sent: () => void = () => {}): void => {
  process.send?.(message, sent);
};

/** As the Node.js runtime of Lambda reports what was thrown: https://github.com/aws/aws-lambda-nodejs-runtime-interface-client */
const describe = (thrown: unknown): FunctionError =>
  thrown instanceof Error
    ? { errorType: thrown.name, errorMessage: thrown.message, trace: (thrown.stack ?? '').split('\n') }
    : { errorType: typeof thrown, errorMessage: String(thrown), trace: [] };

let current: string | undefined;

/** Ends the process after the error is on its way. Lambda's runtime exits with these codes, too. */
const die = (error: FunctionError, code: number): void => {
  console.error((error.trace ?? [error.errorMessage]).join('\n'));
  if (current === undefined) process.exit(code);
  send({ kind: 'error', id: current, error }, () => process.exit(code));
};

process.on('uncaughtException', (thrown) => die(describe(thrown), 129));
process.on('unhandledRejection', (reason) => {
  const { errorMessage, errorType, trace } = describe(reason);
  const message = `${errorType}: ${errorMessage}`;
  die({ errorType: 'Runtime.UnhandledPromiseRejection', errorMessage: message, trace: trace ?? [] }, 128);
});
process.on('disconnect', () => process.exit(0));

const contextOf = ({ id, deadline, functionArn }: InvokeMessage): object => ({
  callbackWaitsForEmptyEventLoop: true,
  functionName: process.env.AWS_LAMBDA_FUNCTION_NAME,
  functionVersion: process.env.AWS_LAMBDA_FUNCTION_VERSION,
  memoryLimitInMB: process.env.AWS_LAMBDA_FUNCTION_MEMORY_SIZE,
  logGroupName: process.env.AWS_LAMBDA_LOG_GROUP_NAME,
  logStreamName: process.env.AWS_LAMBDA_LOG_STREAM_NAME,
  invokedFunctionArn: functionArn,
  awsRequestId: id,
  getRemainingTimeInMillis: () => Math.max(0, deadline - Date.now()),
});

const answer = (id: string, value: unknown, limit: number): ChildMessage => {
  const payload = JSON.stringify(value) ?? 'null';
  if (Buffer.byteLength(payload) <= limit) return { kind: 'result', id, payload };
  const errorMessage = `Response payload size exceeded maximum allowed payload size (${limit} bytes).`;
  return { kind: 'error', id, error: { errorType: 'Function.ResponseSizeTooLarge', errorMessage } };
};

let warm = false;
const afterFirst = (): void => {
  if (warm) return;
  warm = true;
  // Node writes the compile cache at a clean exit, which a killed process never has.
  setImmediate(flushCompileCache);
};

const run = async (handler: Handler, message: InvokeMessage): Promise<void> => {
  const { id, event, responseLimit } = message;
  current = id;
  send({ kind: 'started', id });
  const reply = await Promise.resolve()
    .then(() => handler(JSON.parse(event), contextOf(message)))
    .then((value) => answer(id, value, responseLimit))
    .catch((thrown: unknown): ChildMessage => ({ kind: 'error', id, error: describe(thrown) }));
  current = undefined;
  send(reply);
  afterFirst();
};

const load = async (): Promise<Handler> => {
  const exported = ((await import(pathToFileURL(file).href)) as Record<string, unknown>)[handlerName];
  if (typeof exported === 'function') return exported as Handler;
  const error = new Error(`${handlerName} is not a function exported by ${file}`);
  throw Object.assign(error, { name: 'Runtime.HandlerNotFound' });
};

try {
  const handler = await load();
  process.on('message', (message) => void run(handler, message as InvokeMessage));
  send({ kind: 'ready' });
} catch (thrown) {
  const error = describe(thrown);
  console.error((error.trace ?? []).join('\n'));
  send({ kind: 'init-error', error }, () => process.exit(1));
}
