import { expect } from 'vitest';
import type { Faults, Play } from '../cells.ts';
import type { Stage } from '../stage.ts';
import { provision } from '../tenants.ts';

interface Standing {
  readonly plan: string;
  readonly users: number | null;
  readonly isolation: string;
  readonly places: number;
  readonly waiting: number;
}

/** The tenant has the plan that its operation tells, and nothing waits or is left half done. */
const has =
  (well: Partial<Standing>, badly: Partial<Standing>): Play['after'] =>
  async ({ id }, stage, went) => {
    const { rows } = await stage.control.query<Standing>(
      `SELECT plan, users, isolation, (SELECT count(*)::int FROM placements p WHERE p.tenant_id = t.id) AS places,
         (SELECT count(*)::int FROM plan_changes c WHERE c.tenant_id = t.id AND ended_at IS NULL) AS waiting
       FROM tenants t WHERE id = $1`,
      [id],
    );
    expect(rows[0]).toMatchObject({ places: 1, waiting: 0, ...(went === 'well' ? well : badly) });
  };

const old = { plan: 'starter', users: null, isolation: 'pooled' };

const grow: Play = {
  workflow: 'change-plan',
  input: ({ id }) => ({ tenantId: id, plan: 'pro', users: 7 }),
  after: has({ plan: 'pro', users: 7, isolation: 'pooled' }, old),
};

const move: Play = {
  workflow: 'change-plan',
  input: ({ id }) => ({ tenantId: id, plan: 'enterprise', users: 7, windowSeconds: 0 }),
  after: has({ plan: 'enterprise', users: 7, isolation: 'database' }, old),
};

/** Tenants with an app of their own. */
const provisionOwn = async (stage: Stage, ids: readonly string[]): Promise<void> => {
  for (const tenantId of ids) {
    const input = { tenantId, plan: 'starter', tier: 'namespace' };
    const { status, cause } = await stage.laptop.run('provision-tenant', input);
    expect(status, cause).toBe('SUCCEEDED');
  }
};

export const planChange: Faults = {
  machines: ['change-plan'],
  prepare: async (stage, cells) => {
    const own = cells.filter(({ task }) => task === 'RevertPlanChange').map(({ id }) => id);
    await provision(
      stage,
      cells.map(({ id }) => id).filter((id) => !own.includes(id)),
    );
    await provisionOwn(stage, own);
  },
  plays: {
    OpenPlanChange: grow,
    TakeTurn: move,
    // Where the move has been made, the tenant stays at its new place: going back is a move of its own.
    ApplyPlanChange: { ...move, after: has({ plan: 'enterprise', users: 7 }, { ...old, isolation: 'database' }) },
    // For good: the old size is not taken either, and the old pods run on.
    RevertPlanChange: { ...grow, because: { step: 'AwaitWorkload', fault: 'refused' } },
    EndPlanChange: { ...grow, commits: true },
    AbandonPlanChange: { ...grow, because: { step: 'ApplyPlanChange', fault: 'unheard' } },
  },
};
