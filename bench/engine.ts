import { fork } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { openDatabase } from '../local/database.ts';
import { createStatesService } from '../local/services/states.ts';
import type { BenchRow } from './row.ts';

const executions = 1_000;
const statesEach = 20;
const openAtKill = 200;

const inFolder = async <T>(work: (directory: string) => Promise<T>): Promise<T> => {
  const directory = mkdtempSync(join(tmpdir(), 'bench-engine-'));
  try {
    return await work(directory);
  } finally {
    rmSync(directory, { recursive: true, force: true });
  }
};

const unused = (): never => {
  throw new Error('the machine of the bench calls nothing');
};

/** Each state adds one with JSONata: a transition is an evaluation, two events and a frame. */
const counting = (): string => {
  const state = (index: number): object => ({
    Type: 'Pass',
    Output: { n: '{% $states.input.n + 1 %}' },
    ...(index + 1 < statesEach ? { Next: `S${index + 1}` } : { End: true }),
  });
  const States = Object.fromEntries(Array.from({ length: statesEach }, (_, index) => [`S${index}`, state(index)]));
  return JSON.stringify({ QueryLanguage: 'JSONata', StartAt: 'S0', States });
};

/** Durable transitions per second of 1,000 executions of 20 states, all started at once. */
const transitionsPerSecond = (): Promise<number> =>
  inFolder(async (directory) => {
    const over = Promise.withResolvers<void>();
    let ended = 0;
    const states = createStatesService({
      directory,
      region: 'eu-central-1',
      accountId: '000000000000',
      integrations: {
        functions: { invoke: unused },
        events: { putEvents: unused },
        objects: { get: unused, put: unused, list: unused },
      },
      onEnd: (row) => {
        if (row.status !== 'SUCCEEDED') over.reject(new Error(`${row.arn} ended as ${row.status}: ${row.cause}`));
        ended += 1;
        if (ended === executions) over.resolve();
      },
    });
    try {
      const roleArn = 'arn:aws:iam::000000000000:role/states';
      const created = (await states.operations.CreateStateMachine!(
        { name: 'counting', roleArn, definition: counting() },
        {} as never,
      )) as { stateMachineArn: string };
      const before = performance.now();
      for (let index = 0; index < executions; index += 1) void states.start(created.stateMachineArn, '{"n":0}');
      await over.promise;
      return (executions * statesEach * 1_000) / (performance.now() - before);
    } finally {
      states.close();
    }
  });

/** The yardstick: bare node:sqlite under the same pragmas, one transaction for the same rows of each transition. */
const bareTransitionsPerSecond = (): Promise<number> =>
  inFolder(async (directory) => {
    const database = openDatabase(
      join(directory, 'bare.sqlite'),
      `CREATE TABLE frames(execution INTEGER, path TEXT, state TEXT, input TEXT, PRIMARY KEY(execution, path)) WITHOUT ROWID;
       CREATE TABLE events(execution INTEGER, id INTEGER, type TEXT, details TEXT, data TEXT, PRIMARY KEY(execution, id)) WITHOUT ROWID;`,
    );
    const event = database.prepare('INSERT INTO events VALUES(?,?,?,?,?)');
    const frame = database.prepare('INSERT OR REPLACE INTO frames VALUES(?,?,?,?)');
    const transitions = 3_000;
    const before = performance.now();
    for (let index = 0; index < transitions; index += 1) {
      const execution = index % 100;
      database.exec('BEGIN');
      event.run(execution, index * 2, 'PassStateExited', '{"name":"S1"}', '{"n":1}');
      event.run(execution, index * 2 + 1, 'PassStateEntered', '{"name":"S2"}', '{"n":1}');
      frame.run(execution, '', 'S2', '{"n":1}');
      database.exec('COMMIT');
    }
    const rate = (transitions * 1_000) / (performance.now() - before);
    database.close();
    return rate;
  });

const life = (directory: string, name: 'first' | 'second') =>
  fork(join(import.meta.dirname, 'engine-life.ts'), [directory, name, String(openAtKill)], {
    stdio: ['ignore', 'inherit', 'inherit', 'ipc'],
  });

/** Milliseconds from the kill -9 of an engine with 200 tasks in flight until a new process has brought all to their end. */
const resumeMilliseconds = (): Promise<number> =>
  inFolder(async (directory) => {
    const first = life(directory, 'first');
    await once(first, 'message');
    const gone = once(first, 'exit');
    const before = performance.now();
    first.kill('SIGKILL');
    await gone;
    const second = life(directory, 'second');
    await once(second, 'message');
    const after = performance.now();
    const closed = once(second, 'exit');
    second.kill('SIGKILL');
    await closed;
    return after - before;
  });

/** The engine's figures: throughput, throughput against bare SQLite of the same run, and the time to be back after a kill -9. */
export const benchEngine = async (): Promise<BenchRow[]> => {
  const bare = await bareTransitionsPerSecond();
  const engine = await transitionsPerSecond();
  const resume = await resumeMilliseconds();
  const yardstick = { name: 'bare node:sqlite, a commit each', value: bare, unit: '/s' };
  return [
    { name: 'engine.transitions_per_s', value: engine, unit: '/s', yardstick, goal: '>= 3000', met: engine >= 3_000 },
    { name: 'engine.ratio', value: engine / bare, unit: 'x', yardstick, goal: '>= 0.5', met: engine / bare >= 0.5 },
    { name: 'engine.resume_ms', value: resume, unit: 'ms', goal: '<= 2000', met: resume <= 2_000 },
  ];
};
