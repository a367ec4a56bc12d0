import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest';
import { type TaskStep, taskWorkflows } from '../../domain/workflows.ts';
import { inTurns } from '../journeys/faults/cells.ts';
import { type Fault, isTransient, permanentFaults, transientFaults } from '../journeys/faults/matrix.ts';
import { openStage, type Stage } from '../journeys/faults/stage.ts';
import { openTaskSaboteur } from '../journeys/faults/task-saboteur.ts';
import { backUp, damage, provision } from '../journeys/faults/tenants.ts';
import { worldFindings } from '../journeys/faults/world.ts';

interface Cell {
  readonly id: string;
  readonly machine: keyof typeof plays;
  readonly step: TaskStep;
  readonly fault: Fault;
}

type Digests = Record<string, string>;
const whole = new Map<string, Digests>();
const damaged = new Map<string, Digests>();
let stage: Stage;
const saboteur = openTaskSaboteur();

const openMoves = async (tenantId: string): Promise<{ phase: string }[]> =>
  (
    await stage.control.query<{ phase: string }>('SELECT phase FROM moves WHERE tenant_id = $1 AND ended_at IS NULL', [
      tenantId,
    ])
  ).rows;

/** How each machine comes to its tasks, and what must hold when the fault is over. */
const plays = {
  'restore-tenant': {
    input: (id: string) => ({ tenantId: id, into: 'in-place', approval: 'given', through: 'task' }),
    after: async ({ id, step, fault }: Cell, went: boolean) => {
      const swapped = went || (step === 'SwapRestore' && fault === 'unheard');
      expect(await stage.digests(id)).toEqual((swapped ? whole : damaged).get(id));
    },
  },
  'migrate-tenant': {
    input: (id: string) => ({ tenantId: id, isolation: 'database', windowSeconds: 0, through: 'task' }),
    after: async ({ id, step }: Cell, went: boolean) => {
      const [open] = await openMoves(id);
      if (went) expect(open).toBeUndefined();
      if (open) {
        const action = ['planned', 'copying'].includes(open.phase) ? 'abandon' : 'finish';
        const cleared = await stage.laptop.run('migrate-tenant', { tenantId: id, action });
        expect(cleared.status, cleared.cause).toBe('SUCCEEDED');
      }
      const { rows } = await stage.control.query('SELECT isolation FROM placements WHERE tenant_id = $1', [id]);
      const stayed = step === 'CutOver' && !went;
      expect(rows).toEqual([{ isolation: stayed ? 'pooled' : 'database' }]);
      expect(await openMoves(id)).toEqual([]);
    },
  },
} as const;

/** The comparison has a task of its own only where the snapshots of the cut-over were lost: a journey shows that one. */
const reached = (step: TaskStep): boolean => step !== 'VerifyCopy';

const kebab = (name: string): string => name.replaceAll(/(?<!^)([A-Z])/g, '-$1').toLowerCase();

const cells: readonly Cell[] = (Object.keys(plays) as (keyof typeof plays)[]).flatMap((machine) =>
  (taskWorkflows[machine] as readonly TaskStep[]).filter(reached).flatMap((step) =>
    [...transientFaults, ...permanentFaults].map((fault) => ({
      id: `${kebab(step)}-${fault}`,
      machine,
      step,
      fault,
    })),
  ),
);

vi.setConfig({ maxConcurrency: 5, testTimeout: 240_000, hookTimeout: 240_000 });

beforeAll(async () => {
  stage = await openStage({ interposeTasks: saboteur.interpose });
  const ids = cells.map(({ id }) => id);
  await provision(stage, ids);
  const restored = cells.filter(({ machine }) => machine === 'restore-tenant').map(({ id }) => id);
  await backUp(stage, restored);
  await inTurns(ids, async (id) => void whole.set(id, await stage.digests(id)));
  await damage(stage, restored);
  await inTurns(restored, async (id) => void damaged.set(id, await stage.digests(id)));
});
afterAll(() => stage.close());

describe.concurrent('after a fault of a container task the world tells one story', () => {
  for (const cell of cells)
    test(`${cell.machine} ${cell.step} as a task ${cell.fault}`, async () => {
      const { id, machine, step, fault } = cell;
      // What CutOver did behind its commit point stands, whoever heard of it: the machine goes on from there.
      const went = isTransient(fault) || (step === 'CutOver' && fault === 'unheard');
      saboteur.arm(id, step, fault);
      const started = await stage.laptop.start(machine, plays[machine].input(id), id);
      const execution = await stage.laptop.ended(started);
      const { calls, complaints } = await saboteur.settle(id);
      expect(calls, `${step} was never asked for as a task: the cell proves nothing`).toBeGreaterThan(0);
      expect(complaints).toEqual([]);
      expect(execution.status, execution.cause).toBe(went ? 'SUCCEEDED' : 'FAILED');
      expect(await worldFindings(stage, id, id)).toEqual([]);
      await plays[machine].after(cell, went);
    });
});
