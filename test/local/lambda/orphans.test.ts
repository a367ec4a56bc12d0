import { fork, spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { expect, onTestFinished, test, vi } from 'vitest';
import { temporary } from '../gateway/endpoint.ts';
import { gone, isRunning } from '../processes.ts';
import { bundleProbe, root } from './functions.ts';

/** Runs the pool in a process of its own and answers that process and the pid of its first, idle, child. */
const startParent = async (directory: string, events: readonly object[]) => {
  const file = await bundleProbe(join(directory, 'bundles'));
  const script = join(import.meta.dirname, 'orphan-parent.ts');
  const parent = spawn(process.execPath, [script, directory, file, ...events.map((event) => JSON.stringify(event))], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  onTestFinished(() => void parent.kill('SIGKILL'));
  const [line] = (await once(createInterface({ input: parent.stdout }), 'line')) as [string];
  return { parent, child: Number(line) };
};

test('an idle process ends with its parent, even when that one is killed', async () => {
  const { parent, child } = await startParent(await temporary('orphans'), []);
  expect(isRunning(child)).toBe(true);
  parent.kill('SIGKILL');
  await gone(child);
});

test('a process in a busy loop ends with its parent', async () => {
  const directory = await temporary('orphans');
  const started = join(directory, 'started');
  const { parent, child } = await startParent(directory, [{ do: 'spin', started }]);
  await vi.waitFor(() => readFileSync(started), { timeout: 10_000 });
  expect(isRunning(child)).toBe(true);
  parent.kill('SIGKILL');
  await gone(child);
});

test('a program that a handler started ends with its parent', async () => {
  const directory = await temporary('orphans');
  const started = join(directory, 'started');
  const { parent } = await startParent(directory, [{ do: 'sleepInChild', started }]);
  const program = await vi.waitFor(() => Number(/^\d+$/.exec(readFileSync(started, 'utf8'))![0]), { timeout: 10_000 });
  expect(isRunning(program)).toBe(true);
  parent.kill('SIGKILL');
  await gone(program);
});

test('a process ends by itself when its channel closes, even in the middle of a call', async () => {
  const directory = await temporary('orphans');
  const bootstrap = join(root, 'local', 'lambda', 'bootstrap.ts');
  const child = fork(bootstrap, [await bundleProbe(directory), 'handler'], { serialization: 'advanced' });
  onTestFinished(() => void child.kill('SIGKILL'));
  expect((await once(child, 'message'))[0]).toEqual({ kind: 'ready' });
  const event = JSON.stringify({ do: 'hold', started: join(directory, 'started'), go: join(directory, 'never') });
  child.send({ id: '1', event, deadline: Date.now() + 60_000, functionArn: 'arn', responseLimit: 100 });
  expect((await once(child, 'message'))[0]).toEqual({ kind: 'started', id: '1' });
  const ended = once(child, 'exit');
  child.disconnect();
  expect(await ended).toEqual([0, null]);
});
