import { expect } from 'vitest';
import { until } from '../../../cloud.ts';
import { type Faults, inTurns, type Play } from '../cells.ts';
import type { Cell } from '../matrix.ts';
import type { Stage } from '../stage.ts';
import { backUp, damage, provision } from '../tenants.ts';

type Digests = Record<string, string>;
/** What each tenant had when its archive was made, and what was left after the damage. */
const whole = new Map<string, Digests>();
const damaged = new Map<string, Digests>();
/** The restore that a cell undoes or discards. */
const earlier = new Map<string, string>();

const restoreOf = async (stage: Stage, operation: string): Promise<{ id: string; status: string }> => {
  const { rows } = await stage.control.query<{ id: string; status: string }>(
    'SELECT id, status FROM restores WHERE operation_id = $1',
    [operation],
  );
  return rows[0] ?? { id: '', status: 'none' };
};

const has = async (stage: Stage, { id }: Cell, rows: 'whole' | 'damaged'): Promise<void> =>
  expect(await stage.digests(id)).toEqual((rows === 'whole' ? whole : damaged).get(id));

const restore: Play = {
  workflow: 'restore-tenant',
  input: ({ id }) => ({ tenantId: id, into: 'in-place', approval: 'given' }),
  after: async (cell, stage, went) => {
    await has(stage, cell, went === 'well' ? 'whole' : 'damaged');
    const { status } = await restoreOf(stage, cell.id);
    expect(['none', 'failed', 'swapped']).toContain(status);
    expect(status === 'swapped').toBe(went === 'well');
  },
};

/** The swap had committed when the machine gave up: it stands, the record says so, and it can be undone. */
const standing: Play['after'] = async (cell, stage) => {
  await has(stage, cell, 'whole');
  const { id, status } = await restoreOf(stage, cell.id);
  expect(status).toBe('swapped');
  const undone = await stage.laptop.run('restore-tenant', { tenantId: cell.id, restoreId: id, action: 'undo' });
  expect(undone, undone.cause).toMatchObject({ status: 'SUCCEEDED' });
  await has(stage, cell, 'damaged');
};

/** As an operator does it: again, until the approval was heard. */
const approve: NonNullable<Play['meanwhile']> = async ({ id, fault }, stage) => {
  if (fault === 'refused' || fault === 'unheard') return;
  await until(`approval of ${id}`, async () => {
    const { status } = await stage.laptop.api('POST', `/operations/${id}/approve`, {});
    return status < 300 ? true : undefined;
  });
};

const prepare = async (stage: Stage, cells: readonly Cell[]): Promise<void> => {
  const ids = cells.map(({ id }) => id);
  await provision(stage, ids);
  await backUp(stage, ids);
  for (const id of ids) whole.set(id, await stage.digests(id));
  await damage(stage, ids);
  for (const id of ids) damaged.set(id, await stage.digests(id));
  const first = cells.filter(({ task }) => task === 'UndoRestore' || task === 'DiscardRestore');
  await inTurns(first, async ({ id, task }) => {
    const into = task === 'UndoRestore' ? 'in-place' : 'copy';
    const done = await stage.laptop.run('restore-tenant', { tenantId: id, into, approval: 'given' });
    if (done.status !== 'SUCCEEDED') throw new Error(`${id} could not be restored: ${done.cause}`);
    earlier.set(id, (await restoreOf(stage, done.name!)).id);
  });
};

export const restoring: Faults = {
  machines: ['restore-tenant'],
  // Those of Kubernetes objects are in restored-objects.ts.
  ownPlaces: 'left out',
  prepare,
  plays: {
    PlanRestore: restore,
    StageRestore: restore,
    CompareRestore: restore,
    RequestApproval: { ...restore, input: ({ id }) => ({ tenantId: id, into: 'in-place' }), meanwhile: approve },
    SwapRestore: {
      ...restore,
      after: (cell, stage, went) => (cell.fault === 'unheard' ? standing : restore.after)(cell, stage, went),
    },
    FinishRestore: {
      ...restore,
      commits: true,
      after: (cell, stage, went) => (cell.fault === 'refused' ? standing : restore.after)(cell, stage, went),
    },
    UndoRestore: {
      workflow: 'restore-tenant',
      commits: true,
      input: ({ id }) => ({ tenantId: id, restoreId: earlier.get(id), action: 'undo' }),
      after: (cell, stage, went) => has(stage, cell, went === 'well' ? 'damaged' : 'whole'),
    },
    DiscardRestore: {
      workflow: 'restore-tenant',
      commits: true,
      input: ({ id }) => ({ tenantId: id, restoreId: earlier.get(id), action: 'discard' }),
      after: async ({ id }, stage, went) => {
        const { rows } = await stage.control.query('SELECT status FROM restores WHERE id = $1', [earlier.get(id)]);
        expect(rows).toEqual([{ status: went === 'well' ? 'discarded' : 'staged' }]);
      },
    },
    AbandonRestore: { ...restore, because: { step: 'CompareRestore', fault: 'unheard' } },
  },
};
