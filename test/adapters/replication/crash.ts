import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import { setTimeout as delay } from 'node:timers/promises';
import { afterAll, beforeAll, expect } from 'vitest';
import { finishMove } from '../../../adapters/replication/finish.ts';
import { channelName } from '../../../adapters/replication/names.ts';
import type { SwitchStep } from '../../../adapters/replication/switch.ts';
import { verifyCopy } from '../../../adapters/replication/verify.ts';
import { startWayBack } from '../../../adapters/replication/way-back.ts';
import type { Move } from '../../../domain/move.ts';
import { checkOperations, type RouteBoard } from '../../load/writers.ts';
import {
  cutOverTo,
  type Ends,
  expectSound,
  fingerprint,
  flipTo,
  leftovers,
  makeReady,
  newMove,
  sidesOf,
  stateOf,
  until,
  writeOn,
} from './move-bench.ts';
import type { MoverJob } from './mover.ts';
import { openServer, type TestDatabase, type TestServer } from './servers.ts';

export const victims = ['throw', 'orchestrator', 'walsender', 'applier', 'target', 'source'] as const;
export type Victim = (typeof victims)[number];

/** Milliseconds after which a fence falls whose mover is dead; short, so that the tests wait little. */
const deadlineMs = 1_500;

export interface CrashWorld {
  readonly ends: Ends;
  readonly servers: { readonly source: TestServer; readonly target: TestServer };
  /** Grows from case to case. */
  readonly fence: number;
}

const killed = async (place: TestDatabase, text: string, name: string): Promise<void> => {
  const rows = await place.look<{ pid: number | null }>(text, [name]);
  // kill -9 of one process makes the postmaster end all others and recover the whole server.
  for (const { pid } of rows) if (pid !== null) process.kill(pid, 'SIGKILL');
};

const kill = async (victim: Victim, { ends, servers }: CrashWorld, move: Move): Promise<void> => {
  const name = channelName(move, 'out');
  if (victim === 'throw') throw new Error('crashed here');
  if (victim === 'walsender')
    await killed(ends.source, 'SELECT pid FROM pg_stat_replication WHERE application_name = $1', name);
  if (victim === 'applier')
    await killed(ends.target, 'SELECT pid FROM pg_stat_subscription WHERE subname = $1 AND relid IS NULL', name);
  if (victim === 'target' || victim === 'source') {
    servers[victim].crash();
    await servers[victim].restart();
  }
};

/** A mover in a process of its own, killed with SIGKILL at one step; nothing of it gets to clean up. */
const killMover = async ({ ends }: CrashWorld, move: Move, step: SwitchStep, board: RouteBoard): Promise<void> => {
  const side = ({ owner, side: { conninfo } }: TestDatabase) => ({ owner, conninfo });
  const job: MoverJob = { move, source: side(ends.source), target: side(ends.target), stopAt: step, deadlineMs };
  const child = spawn(process.execPath, [new URL('mover.ts', import.meta.url).pathname, JSON.stringify(job)], {
    stdio: ['pipe', 'pipe', 'inherit'],
  });
  const exited = once(child, 'exit');
  for await (const line of createInterface({ input: child.stdout })) {
    if (line === 'flip') {
      await flipTo(board, ends.target).flip();
      child.stdin.write('done\n');
    }
    if (line === step) child.kill('SIGKILL');
  }
  await exited;
};

const reachable = (place: TestDatabase): Promise<void> =>
  until('the server is back', () =>
    place.look('SELECT 1').then(
      () => true,
      () => false,
    ),
  );

/** Repeats the cut-over as a machine would: what passes by itself is tried again. */
const repeat = async (ends: Ends, move: Move, board: RouteBoard): Promise<void> => {
  for (let attempt = 1; ; attempt += 1) {
    try {
      await cutOverTo(ends, move, board, { deadlineMs });
      return;
    } catch (error) {
      const { name } = error as Error;
      if (!['FenceTimeout', 'DatabaseUnavailable'].includes(name) || attempt >= 20) throw error;
      await delay(200);
    }
  }
};

/**
 * One case: a tenant under load is cut over, something dies at one step, at no moment both sides serve it, a repeat finishes,
 * and every acknowledged operation is there once. The tenant is then finished on the target, where the next case finds it.
 */
export const surviveCrash = async (world: CrashWorld, victim: Victim, step: SwitchStep): Promise<void> => {
  const { ends, fence } = world;
  const move = newMove('acme', fence);
  const neighbour = await fingerprint(ends.source, 'globex');
  const { board, load } = await writeOn(ends.source, 'acme');
  try {
    await load.more(20);
    await makeReady(ends, move);
    if (victim === 'orchestrator') await killMover(world, move, step, board);
    else {
      let struck = false;
      await cutOverTo(ends, move, board, {
        deadlineMs,
        onStep: async (at) => {
          if (at !== step || struck) return;
          struck = true;
          await kill(victim, world, move);
        },
      }).catch(() => undefined);
      expect(struck).toBe(true);
    }
    for (const place of [ends.source, ends.target]) await reachable(place);
    const states = [await stateOf(ends.source, 'acme'), await stateOf(ends.target, 'acme')];
    expect(states.filter((state) => state !== 'moved').length).toBeLessThanOrEqual(1);
    // Nobody repeats it: before the commit point the tenant writes on, at the latest when its fence falls.
    if (states[0] !== 'moved') {
      await load.more(20);
      expect(await stateOf(ends.source, 'acme')).toBe('open');
    }
    await repeat(ends, move, board);
    await load.more(20);
    expect([await stateOf(ends.source, 'acme'), await stateOf(ends.target, 'acme')]).toEqual(['moved', 'open']);
    await startWayBack({ ...sidesOf(ends), move });
    await until('the second comparison was made', () =>
      verifyCopy({ ...sidesOf(ends), move }).then(
        ({ equal, tables }) => {
          expect(tables.filter((table) => !table.equal)).toEqual([]);
          return equal;
        },
        (error: Error) => {
          if (error.name === 'FenceTimeout' || error.name === 'DatabaseUnavailable') return false;
          throw error;
        },
      ),
    );
  } finally {
    await load.stop();
  }
  const admin = await ends.target.side.connect();
  expect(await checkOperations(admin, 'acme', load)).toMatchObject({ lost: [], duplicated: [], unasked: [] });
  await admin.end();
  await finishMove({ ...sidesOf(ends), move });
  await expectSound(ends.target, 'acme');
  expect(await fingerprint(ends.source, 'acme')).toEqual({});
  expect(await fingerprint(ends.source, 'globex')).toEqual(neighbour);
  for (const place of [ends.source, ends.target]) expect(await leftovers(place)).toEqual([]);
};

/**
 * Two servers for the cases of a file, `installed` the version of the second; each call answers the world as the next case
 * finds it, and that leaves the tenant on the other side.
 */
export const useCrashWorlds = (installed?: string): (() => CrashWorld) => {
  let servers: [TestServer, TestServer];
  let databases: [TestDatabase, TestDatabase];
  let turn = 0;
  beforeAll(async () => {
    servers = await Promise.all([openServer(), openServer({ installed })]);
    databases = [await servers[0].database('pool'), await servers[1].database('pool2')];
    for (const database of databases) await database.addTenant('globex', 20);
    await databases[0].addTenant('acme', 100);
  });
  afterAll(() => Promise.all(servers?.map((server) => server.stop()) ?? []));
  return () => {
    const [from, to]: [0 | 1, 0 | 1] = turn % 2 === 0 ? [0, 1] : [1, 0];
    turn += 1;
    return {
      ends: { source: databases[from], target: databases[to] },
      servers: { source: servers[from], target: servers[to] },
      fence: 10 + turn,
    };
  };
};
