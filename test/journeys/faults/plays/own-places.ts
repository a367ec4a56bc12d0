import { expect } from 'vitest';
import { estateFindings, thingsOf } from '../../../estate.ts';
import type { Faults, Play } from '../cells.ts';
import type { Stage } from '../stage.ts';

const statusOf = async (stage: Stage, tenantId: string): Promise<string> =>
  (await stage.control.query<{ status: string }>('SELECT status FROM tenants WHERE id = $1', [tenantId])).rows[0]
    ?.status ?? 'none';

const offboard = (stage: Stage, tenantId: string) =>
  stage.laptop.run('deprovision-tenant', { tenantId, graceSeconds: 0 });

const expectNothing = async (stage: Stage, tenantId: string): Promise<void> => {
  expect(await thingsOf(stage.estate, stage.control, tenantId)).toEqual([]);
};

/** Stands whole, and goes without a trace when it is taken off; or has left no trace. */
const wholeOrNothing: Play['after'] = async ({ id }, stage, went) => {
  expect(await statusOf(stage, id)).toBe(went === 'well' ? 'active' : 'none');
  if (went === 'well') {
    expect(await estateFindings(stage.estate, stage.control, id)).toEqual([]);
    const gone = await offboard(stage, id);
    expect(gone.status, gone.cause).toBe('SUCCEEDED');
  }
  await expectNothing(stage, id);
};

/**
 * A place that could not be taken down keeps the tenant's name, so that nobody gets what is left of it; when the fault is mended,
 * taking the tenant off takes all of it.
 */
const releasedOrKept: Play['after'] = async ({ id, fault }, stage) => {
  const kept = fault === 'refused' || fault === 'unheard';
  expect(await statusOf(stage, id)).toBe(kept ? 'failed' : 'none');
  if (kept) {
    const again = await offboard(stage, id);
    // The fault is for good: what it forbids, it forbids the offboarding too.
    expect(again.status).toBe('FAILED');
    stage.saboteur.disarm(id);
    const gone = await offboard(stage, id);
    expect(gone.status, gone.cause).toBe('SUCCEEDED');
  }
  await expectNothing(stage, id);
};

/** A signup that gets a place of that kind. The plan is the smallest: its app is one process. */
const signUp = (place: { readonly tier?: string; readonly isolation: string }): Play => ({
  workflow: 'provision-tenant',
  input: ({ id }) => ({ tenantId: id, plan: 'starter', force: true, reason: 'fault cell', ...place }),
  after: wholeOrNothing,
});

/** The same where the very last step fails, so that the place is taken down again. */
const takenBack = (place: Parameters<typeof signUp>[0]): Play => ({
  ...signUp(place),
  because: { step: 'ActivateTenant', fault: 'refused' },
  after: releasedOrKept,
});

const server = { isolation: 'server' };
const database = { isolation: 'database' };
const namespace = { tier: 'namespace', isolation: 'pooled' };
const cluster = { tier: 'cluster', isolation: 'pooled' };

export const ownPlaces: Faults = {
  machines: ['prepare-placement', 'release-placement'],
  ownPlaces: 'only',
  // Whoever keeps its place because that cannot be taken down keeps its network too.
  cloud: { stackQuotas: { vpcs: 50, addresses: 50 } },
  prepare: async () => undefined,
  plays: {
    CreateServer: signUp(server),
    AwaitServer: signUp(server),
    PrepareServer: signUp(server),
    CreateDatabase: signUp(database),
    DropDatabase: takenBack(database),
    DeleteServer: takenBack(server),
    AwaitServerGone: takenBack(server),
    CreateStack: signUp(cluster),
    AwaitStack: signUp(cluster),
    DeployWorkload: signUp(namespace),
    AwaitWorkload: signUp(namespace),
    AwaitWorkloadGone: takenBack(namespace),
    DrainCluster: takenBack(cluster),
    DeleteStack: takenBack(cluster),
    AwaitStackGone: takenBack(cluster),
  },
};

/** One or two faults of each step of a cluster or namespace. */
export const someOwnPlaces: Faults = {
  ...ownPlaces,
  ownPlaces: undefined,
  some: {
    CreateStack: ['twice'],
    AwaitStack: ['unheard'],
    DeployWorkload: ['late', 'refused'],
    AwaitWorkload: ['after'],
    RemoveWorkload: ['unheard'],
    AwaitWorkloadGone: ['zombie'],
    DrainCluster: ['before'],
    DeleteStack: ['unheard'],
    AwaitStackGone: ['after'],
  },
  plays: { ...ownPlaces.plays, RemoveWorkload: takenBack(namespace) },
};
