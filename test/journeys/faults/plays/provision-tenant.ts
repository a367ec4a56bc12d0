import { expect } from 'vitest';
import type { Faults, Play } from '../cells.ts';

/** A signup either stands whole or leaves its name free for the next one. */
const after: Play['after'] = async ({ id }, stage, went) => {
  const { rows } = await stage.control.query('SELECT status FROM tenants WHERE id = $1', [id]);
  expect(rows).toEqual(went === 'well' ? [{ status: 'active' }] : []);
};

const signUp: Play = {
  workflow: 'provision-tenant',
  input: ({ id }) => ({ tenantId: id, plan: 'starter', tier: 'shared', customDomain: `${id}.example` }),
  after,
};

const takenBack: Play = {
  ...signUp,
  because: { step: 'ActivateTenant', fault: 'refused' },
  // Nobody may get the name of a tenant whose rows could not be proven gone.
  after: async ({ id, fault }, stage) => {
    const { rows } = await stage.control.query('SELECT status FROM tenants WHERE id = $1', [id]);
    expect(rows).toEqual(fault === 'refused' || fault === 'unheard' ? [{ status: 'failed' }] : []);
  },
};

export const signup: Faults = {
  machines: ['provision-tenant', 'prepare-placement', 'release-placement'],
  ownPlaces: 'left out',
  prepare: async () => undefined,
  plays: {
    ClaimTenant: signUp,
    PlaceTenant: signUp,
    PrepareDatabase: signUp,
    ActivateTenant: { ...signUp, commits: true },
    ReleaseTenant: { ...signUp, because: { step: 'ActivateTenant', fault: 'refused' } },
    RemoveWorkload: takenBack,
    ReleaseDatabase: takenBack,
  },
};
