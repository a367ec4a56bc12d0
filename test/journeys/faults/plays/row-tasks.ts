import { expect } from 'vitest';
import { inTurns } from '../cells.ts';
import { channelsOf, clearUp, homeOf } from '../homes.ts';
import type { Stage } from '../stage.ts';
import type { TaskFaults, TaskPlay } from '../task-cells.ts';
import type { TaskCell } from '../task-matrix.ts';
import { backUp, damage, provision } from '../tenants.ts';

type Digests = Record<string, string>;
/** What each tenant had when its archive was made, and what was left after the damage. */
const whole = new Map<string, Digests>();
const damaged = new Map<string, Digests>();
/** What each tenant had before it moved. */
const rowsBefore = new Map<string, string>();

const restored: TaskPlay = {
  input: ({ id }) => ({ tenantId: id, into: 'in-place', approval: 'given', through: 'task' }),
  after: async ({ id, step, fault }, stage, went) => {
    const swapped = went || (step === 'SwapRestore' && fault === 'unheard');
    expect(await stage.digests(id)).toEqual((swapped ? whole : damaged).get(id));
  },
};

/** In one place, open, with every row; one more operation leaves nothing of the move but its place. */
const movedTo =
  (place: (cell: TaskCell, went: boolean) => 'pooled' | 'database'): TaskPlay['after'] =>
  async (cell, stage, went) => {
    const { id } = cell;
    const open = 'SELECT FROM moves WHERE tenant_id = $1 AND ended_at IS NULL';
    if (went) expect((await stage.control.query(open, [id])).rowCount).toBe(0);
    expect(await homeOf(stage, id)).toMatchObject({ state: 'open', rows: rowsBefore.get(id) });
    await clearUp(stage, id);
    expect(await homeOf(stage, id)).toEqual({
      isolation: place(cell, went),
      places: 1,
      state: 'open',
      rows: rowsBefore.get(id),
    });
    expect((await stage.control.query(open, [id])).rowCount).toBe(0);
    expect(await channelsOf(stage, id)).toEqual([]);
  };

/** The restore that a cell undoes. */
const earlier = new Map<string, string>();

/** An undo whose task did not end in time is given up: what lands later changes nothing. */
const undone: TaskPlay = {
  input: ({ id }) => ({ tenantId: id, restoreId: earlier.get(id), action: 'undo', through: 'task' }),
  commits: true,
  after: async ({ id }, stage, went) => {
    expect(await stage.digests(id)).toEqual((went ? damaged : whole).get(id));
    const { rows } = await stage.control.query('SELECT status FROM restores WHERE id = $1', [earlier.get(id)]);
    expect(rows).toEqual([{ status: went ? 'undone' : 'swapped' }]);
  },
};

const restoreAll = (stage: Stage, ids: readonly string[]): Promise<void> =>
  inTurns(ids, async (id) => {
    const done = await stage.laptop.run('restore-tenant', { tenantId: id, into: 'in-place', approval: 'given' });
    if (done.status !== 'SUCCEEDED') throw new Error(`${id} could not be restored: ${done.cause}`);
    earlier.set(id, (JSON.parse(done.output!) as { restoreId: string }).restoreId);
  });

const moved: TaskPlay = {
  input: ({ id }) => ({ tenantId: id, isolation: 'database', windowSeconds: 0, through: 'task' }),
  after: movedTo(({ step }, went) => (step === 'CutOver' && !went ? 'pooled' : 'database')),
};

/** The copy is there and cannot be waited for: its rows are deleted again, by a function where no task did it. */
const abandoned: TaskPlay = {
  ...moved,
  because: { step: 'AwaitCopy', fault: 'refused' },
  says: /no machine retries/,
  after: movedTo(() => 'pooled'),
};

/** Each of these moves loses the note of the comparison that its cut-over made, once: a task of its own compares again. */
const loseComparisons = async ({ control }: Stage, ids: readonly string[]): Promise<void> => {
  for (const id of ids) await control.query(`CREATE SEQUENCE "lost ${id}"`);
  await control.query(`CREATE FUNCTION lose_note() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER AS $$
    BEGIN
      IF nextval(quote_ident('lost ' || new.tenant_id)) = 1 THEN RAISE 'the comparison is lost'; END IF;
      RETURN new;
    END $$;
    CREATE TRIGGER lose_note BEFORE UPDATE ON moves FOR EACH ROW
    WHEN (old.tenant_id LIKE 'verify-copy-%' AND old.verification IS NULL AND new.verification IS NOT NULL)
    EXECUTE FUNCTION lose_note()`);
};

/** Steps that restore, swap, copy and delete a tenant's rows. */
export const rowTasks: TaskFaults = {
  prepare: async (stage, cells) => {
    const ids = cells.map(({ id }) => id);
    await provision(stage, ids);
    const restoring = cells.filter(({ machine }) => machine === 'restore-tenant').map(({ id }) => id);
    await backUp(stage, restoring);
    await inTurns(restoring, async (id) => void whole.set(id, await stage.digests(id)));
    await damage(stage, restoring);
    await inTurns(restoring, async (id) => void damaged.set(id, await stage.digests(id)));
    await restoreAll(
      stage,
      cells.filter(({ step }) => step === 'UndoRestore').map(({ id }) => id),
    );
    const moving = cells.filter(({ machine }) => machine === 'migrate-tenant').map(({ id }) => id);
    await inTurns(moving, async (id) => void rowsBefore.set(id, (await homeOf(stage, id)).rows));
    await loseComparisons(
      stage,
      cells.filter(({ step }) => step === 'VerifyCopy').map(({ id }) => id),
    );
  },
  plays: {
    'restore-tenant': { StageRestore: restored, CompareRestore: restored, SwapRestore: restored, UndoRestore: undone },
    // What CutOver did behind its commit point stands, whoever heard of it: the machine goes on from there.
    'migrate-tenant': {
      CutOver: { ...moved, commits: true },
      VerifyCopy: moved,
      FinishMigration: moved,
      AbandonMigration: abandoned,
    },
  },
};
