import { join } from 'node:path';
import { afterEach, expect, test } from 'vitest';
import { type HostedApp, startApp } from '../../local/apps.ts';
import { call } from './ingress/http.ts';
import { isRunning } from './processes.ts';

const entry = join(import.meta.dirname, 'apps', 'small-app.fixture.mjs');
const running = new Set<HostedApp>();

const start = async (
  env: Record<string, string> = {},
  log: (line: string) => void = () => undefined,
): Promise<HostedApp> => {
  const app = await startApp({ entry, env, log });
  running.add(app);
  return app;
};

afterEach(async () => {
  for (const app of running) await app.stop();
  running.clear();
});

test('an app listens where it says, with its own environment and nothing of ours', async () => {
  process.env.OPERATOR_SECRET = 'ours';
  const lines: string[] = [];
  const app = await start({ COLOUR: 'green' }, (line) => lines.push(line));
  delete process.env.OPERATOR_SECRET;
  const { env } = JSON.parse((await call(app.port()!, '/')).body) as { env: Record<string, string> };
  expect(env).toMatchObject({ COLOUR: 'green', PORT: '0' });
  expect(env).not.toHaveProperty('OPERATOR_SECRET');
  expect(lines).toContain('small app starts');
});

test('an app that dies is down for a moment and then runs again', async () => {
  const lines: string[] = [];
  let down: () => void = () => undefined;
  const died = new Promise<void>((done) => {
    down = done;
  });
  const app = await start({}, (line) => {
    lines.push(line);
    if (line.includes('the app ended')) down();
  });
  const first = app.pid();
  await call(app.port()!, '/die').catch(() => undefined);
  await died;
  expect(app.port()).toBeUndefined();
  const port = await app.listening();
  expect(app.pid()).not.toBe(first);
  expect((await call(port, '/')).status).toBe(200);
  expect(lines).toContain('the app ended (exit 1); it is started again in 200 ms');
});

test('an app that dies before it listens is told with its last words', async () => {
  const ended = join(import.meta.dirname, 'apps', 'ended-app.fixture.mjs');
  await expect(startApp({ entry: ended, env: {}, log: () => undefined })).rejects.toThrow(
    /ended before it listened \(exit 3\): REGISTRY_HOST is missing/,
  );
});

test('a stopped app is gone and stays gone, also a stubborn one', async () => {
  for (const stubborn of ['0', '1']) {
    const app = await start({ STUBBORN: stubborn });
    const pid = app.pid()!;
    await app.stop();
    await app.stop();
    expect({ alive: isRunning(pid), port: app.port() }).toEqual({ alive: false, port: undefined });
  }
}, 15_000);
