import { expect } from 'vitest';
import type { Faults, Play } from '../cells.ts';
import { provision } from '../tenants.ts';

const rowsBefore = new Map<string, Record<string, string>>();

/** Gone and its slug reserved; or back as it was; or, where rows were touched, off and in nobody's way. */
const left =
  (status: 'active' | 'failed'): Play['after'] =>
  async ({ id }, stage, went) => {
    const { rows } = await stage.control.query('SELECT status FROM tenants WHERE id = $1', [id]);
    expect(rows).toEqual([{ status: went === 'well' ? 'deprovisioned' : status }]);
    if (went === 'badly' && status === 'active') expect(await stage.digests(id)).toEqual(rowsBefore.get(id));
  };

const offboard: Play = {
  workflow: 'deprovision-tenant',
  input: ({ id }) => ({ tenantId: id, graceSeconds: 0 }),
  after: left('failed'),
};

export const offboarding: Faults = {
  machines: ['deprovision-tenant', 'release-placement'],
  ownPlaces: 'left out',
  prepare: async (stage, cells) => {
    await provision(
      stage,
      cells.map(({ id }) => id),
    );
    for (const { id } of cells) rowsBefore.set(id, await stage.digests(id));
  },
  plays: {
    OpenOffboarding: { ...offboard, after: left('active') },
    // Of a tenant of the shared app: there is nothing to remove, and no row is touched before.
    RemoveWorkload: { ...offboard, after: left('active') },
    ReleaseDatabase: {
      ...offboard,
      after: (cell, stage, went) => left(cell.fault === 'refused' ? 'active' : 'failed')(cell, stage, went),
    },
    VerifyGone: offboard,
    EraseTenant: { ...offboard, commits: true },
    AbandonOffboarding: {
      ...offboard,
      because: { step: 'OpenOffboarding', fault: 'unheard' },
      after: left('active'),
    },
  },
};
