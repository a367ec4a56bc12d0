import { spawn } from 'node:child_process';
import { existsSync, writeFileSync } from 'node:fs';
import { setTimeout as pause } from 'node:timers/promises';
import { GetCallerIdentityCommand, STSClient } from '@aws-sdk/client-sts';

interface Context {
  readonly awsRequestId: string;
  readonly functionName: string;
  readonly invokedFunctionArn: string;
  readonly memoryLimitInMB: string;
  getRemainingTimeInMillis(): number;
}

interface Probe {
  readonly do?: string;
  readonly [argument: string]: unknown;
}

const sts = new STSClient({});
let calls = 0;

/** Tells that it runs and holds on until the test lets it go. */
const hold = async ({ started, go }: Probe): Promise<void> => {
  writeFileSync(String(started), '');
  while (!existsSync(String(go))) await pause(2);
};

const actions: Record<string, (event: Probe, context: Context) => unknown> = {
  environment: () => process.env,
  identity: async () => (await sts.send(new GetCallerIdentityCommand({}))).Arn,
  context: (_event, context) => ({ ...context, remaining: context.getRemainingTimeInMillis() }),
  log: ({ lines }) => {
    for (const line of lines as string[]) console.log(line);
    console.error('on stderr');
  },
  fail: ({ name, message }) => {
    throw Object.assign(new Error(String(message)), { name });
  },
  failWithText: ({ text }) => {
    throw text;
  },
  exit: ({ code }) => process.exit(Number(code)),
  spin: ({ started }) => {
    writeFileSync(String(started), '');
    for (;;);
  },
  hold,
  exhaust: () => {
    const kept: number[][] = [];
    for (;;) kept.push(Array.from({ length: 100_000 }, (_item, index) => index));
  },
  throwLater: () => {
    setImmediate(() => {
      throw new Error('too late');
    });
    return 'answered';
  },
  rejectBehind: ({ size }) => {
    void Promise.reject(new Error('nobody waits'.padEnd(Number(size))));
    return new Promise(() => {});
  },
  fill: ({ size }) => 'x'.repeat(Number(size)),
  circle: () => {
    const circle: { self?: unknown } = {};
    circle.self = circle;
    return circle;
  },
  sleepInChild: async ({ started }) => {
    const child = spawn(process.execPath, ['--eval', 'setTimeout(() => {}, 1_000_000)'], { stdio: 'ignore' });
    writeFileSync(String(started), String(child.pid));
    await new Promise(() => {});
  },
};

export const handler = async (event: Probe, context: Context): Promise<unknown> => {
  calls += 1;
  if (event.do !== undefined) return actions[event.do]?.(event, context);
  return { event, calls, pid: process.pid };
};

export const constant = 5;
