import { type ChildProcess, fork } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { DescribeExecutionOutput, HistoryEvent } from '@aws-sdk/client-sfn';
import { afterEach, beforeEach, expect, test } from 'vitest';

interface Message {
  readonly call?: string;
  readonly token?: string;
  readonly ended?: DescribeExecutionOutput;
  readonly history?: HistoryEvent[];
  readonly resumed?: string[];
}

let directory: string;
const children: ChildProcess[] = [];

beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'crash-'));
});
afterEach(async () => {
  for (const child of children.splice(0)) {
    if (child.exitCode !== null || child.signalCode !== null) continue;
    child.kill('SIGKILL');
    await once(child, 'exit');
  }
  rmSync(directory, { recursive: true, force: true });
});

const live = (life: 'first' | 'second') => {
  const child = fork(join(import.meta.dirname, 'crash-life.ts'), [directory, life], {
    stdio: ['ignore', 'inherit', 'inherit', 'ipc'],
  });
  children.push(child);
  const messages: Message[] = [];
  child.on('message', (message: Message) => messages.push(message));
  const until = async <T>(find: (messages: readonly Message[]) => T | undefined): Promise<T> => {
    for (;;) {
      const found = find(messages);
      if (found !== undefined) return found;
      await once(child, 'message');
    }
  };
  return { child, until };
};

test('a kill -9 in Task, Parallel, Wait, Map, token, Retry back-off and a nested execution repeats only tasks in flight', async () => {
  const first = live('first');
  const inFlight = ['task', 'item-2', 'child-held'];
  const token = await first.until((messages) => {
    const calls = messages.flatMap(({ call }) => call ?? []);
    const all = [...inFlight, 'backoff', 'ask'].every((call) => calls.includes(call));
    return all ? messages.find((message) => message.token)?.token : undefined;
  });
  const gone = once(first.child, 'exit');
  first.child.kill('SIGKILL');
  await gone;

  writeFileSync(join(directory, 'release'), '');
  const second = live('second');
  const resumed = await second.until((messages) => messages.find((message) => message.resumed)?.resumed);
  const resumedAt = Date.now();
  expect(resumed).toHaveLength(2);
  second.child.send({ token });
  const { ended, history } = await second.until((messages) => messages.find((message) => message.ended));

  expect(ended!.status, ended!.cause).toBe('SUCCEEDED');
  const { all, v } = JSON.parse(ended!.output!);
  expect(all).toEqual(['task', 'after-pause', [0, 1, 'item-2', 3, 4, 5], 'answered', 'backoff', 'child-held']);
  expect(v).toMatch(/^[0-9a-f-]{36}$/);

  const lines = readFileSync(join(directory, 'calls.log'), 'utf8').trim().split('\n');
  const calls = lines.map((line) => line.split(' ')[1]!);
  const twice = [...new Set(calls)].filter((call) => calls.filter((other) => other === call).length > 1);
  expect(twice.toSorted()).toEqual([...inFlight, 'backoff'].toSorted());
  expect(calls.filter((call) => call === 'backoff')).toHaveLength(2);
  expect(lines.filter((line) => line.startsWith('second'))).not.toContain('second ask');
  expect(lines.filter((line) => line.startsWith('second'))).not.toContain('second first');

  const ids = history!.map(({ id }) => id);
  expect(ids).toEqual(ids.map((_, index) => index + 1));
  const at = (type: string, name: string): number =>
    new Date(
      history!.find(
        (event) =>
          event.type === type && (event.stateEnteredEventDetails ?? event.stateExitedEventDetails)?.name === name,
      )!.timestamp!,
    ).getTime();
  const waited = at('WaitStateExited', 'Pause') - at('WaitStateEntered', 'Pause');
  expect(waited).toBeGreaterThanOrEqual(1_990);
  // A Wait that began anew would end two seconds after the resume.
  expect(at('WaitStateExited', 'Pause')).toBeLessThan(resumedAt + 2_000);
  const retried = at('TaskStateExited', 'Backoff') - at('TaskStateEntered', 'Backoff');
  expect(retried).toBeGreaterThanOrEqual(1_990);
});
