import type { Command } from 'commander';
import { call } from './api.ts';
import type { Format } from './print.ts';
import { followToEnd, type OperationRecord } from './progress.ts';

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

/**
 * Starts something through the API and, unless `--no-wait`, follows it to its end. With `--no-wait` the operation's id is
 * the only thing on standard output.
 */
export const start = async (
  command: Command,
  method: 'POST' | 'DELETE',
  path: string,
  body?: unknown,
): Promise<OperationRecord | undefined> => {
  const { operation } = await call<Accepted>(method, path, body);
  const { wait, timeout } = globals(command);
  if (wait) return followToEnd(operation, timeout);
  console.log(operation);
  return undefined;
};

export const collect = (value: string, before: readonly string[] = []): string[] => [...before, value];
