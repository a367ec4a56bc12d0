import { type Command, InvalidArgumentError } from 'commander';
import { call } from './api.ts';
import type { Format } from './print.ts';
import { type Following, followToEnd, type OperationRecord } from './progress.ts';

export interface GlobalOptions {
  readonly output: Format;
  readonly timeout: number;
  readonly wait: boolean;
}

export const globals = (command: Command): GlobalOptions => command.optsWithGlobals<GlobalOptions>();

/** What the API answers when it started something. */
export interface Accepted {
  readonly operation: string;
}

/** Prints how an operation ended, where JSON is wanted; people have read its steps on standard error. */
export const printEnd = (command: Command, operation: OperationRecord): void => {
  if (globals(command).output === 'json') console.log(JSON.stringify(operation, null, 2));
};

/**
 * Starts something through the API and, unless `--no-wait`, follows it to its end. With `--no-wait` the operation's id is
 * the only thing on standard output.
 */
export const start = async (
  command: Command,
  request: { readonly method: 'POST' | 'DELETE'; readonly path: string; readonly body?: unknown },
  following: Following = {},
): Promise<OperationRecord | undefined> => {
  const { operation } = await call<Accepted>(request.method, request.path, request.body);
  const { wait, timeout, output } = globals(command);
  if (wait) return followToEnd(operation, timeout, following);
  console.log(output === 'json' ? JSON.stringify({ operation }) : operation);
  return undefined;
};

/** `start`, and the operation itself as the JSON of a command that has nothing better to print. */
export const run = async (...request: Parameters<typeof start>): Promise<OperationRecord | undefined> => {
  const operation = await start(...request);
  if (operation) printEnd(request[0], operation);
  return operation;
};

export const collect = (value: string, before: readonly string[] = []): string[] => [...before, value];

/** The same for values that may be given together: `Deployment,ConfigMap`. */
export const collectList = (value: string, before: readonly string[] = []): string[] => [
  ...before,
  ...value
    .split(',')
    .map((part) => part.trim())
    .filter((part) => part !== ''),
];

/** Argument parser of an option that takes a whole number. */
export const wholeNumber =
  (least: number, most: number) =>
  (text: string): number => {
    const number = Number(text);
    if (text.trim() === '' || !Number.isInteger(number) || number < least || number > most)
      throw new InvalidArgumentError(`Give a whole number from ${least} to ${most}.`);
    return number;
  };
