import { expect } from 'vitest';
import type { Cluster } from '../../../adapters/cluster/cluster.ts';
import { type Faults, inTurns, type Play } from './cells.ts';
import type { Stage } from './stage.ts';
import { backUp, provision } from './tenants.ts';

interface Place {
  readonly cluster: Cluster;
  readonly namespace: string;
}

const placeOf = async ({ control, estate }: Stage, tenantId: string): Promise<Place> => {
  const { rows } = await control.query<{ cluster: string; namespace: string }>(
    'SELECT cluster_id AS cluster, namespace FROM placements WHERE tenant_id = $1 AND active',
    [tenantId],
  );
  const { cluster, namespace } = rows[0]!;
  return { cluster: await estate.cluster(cluster), namespace };
};

const service = { apiVersion: 'v1', kind: 'Service', name: 'app' };
const config = { apiVersion: 'v1', kind: 'ConfigMap', name: 'app' };

/** A hand that is not Tenantry's: a Service is gone, a setting is another one and one is new. */
const damageObjects = async ({ cluster, namespace }: Place): Promise<void> => {
  await cluster.remove({ ...service, namespace });
  const { name, ...kind } = config;
  const data = { SAMPLE_APP_OPEN_LOGIN: 'damaged', BY_HAND: '1' };
  await cluster.apply([{ ...kind, metadata: { name, namespace }, data }], { fieldManager: 'kubectl-edit' });
};

const looks = async ({ cluster, namespace }: Place): Promise<'whole' | 'damaged' | 'half'> => {
  const data = ((await cluster.get({ ...config, namespace }))?.data ?? {}) as Record<string, string>;
  const signs = [
    (await cluster.get({ ...service, namespace })) !== undefined,
    data.SAMPLE_APP_OPEN_LOGIN !== 'damaged',
    data.BY_HAND === undefined,
  ];
  if (signs.every(Boolean)) return 'whole';
  return signs.some(Boolean) ? 'half' : 'damaged';
};

/** Whether the failed operation says what takes the objects back, and whether that does. */
const expectWayBack = async ({ laptop, control }: Stage, place: Place, id: string): Promise<void> => {
  const { rows } = await control.query<{ reason: string; safety: string }>(
    `SELECT o.reason, r.safety_backup_id AS safety FROM operations o JOIN restores r ON r.operation_id = o.id WHERE o.id = $1`,
    [id],
  );
  const { reason, safety } = rows[0]!;
  expect(reason).toContain(`npx tenantry restore ${id} --objects --backup ${safety} --confirm ${id}`);
  const input = { tenantId: id, backupId: safety, objects: { kinds: ['ConfigMap'] }, approval: 'given' };
  const back = await laptop.run('restore-tenant', input);
  expect(back, back.cause).toMatchObject({ status: 'SUCCEEDED' });
  const { data } = (await place.cluster.get({ ...config, namespace: place.namespace }))!;
  // What Tenantry rules stays as it must be.
  expect(data).toMatchObject({ BY_HAND: '1', SAMPLE_APP_OPEN_LOGIN: '1' });
};

const restore: Play = {
  workflow: 'restore-tenant',
  input: ({ id }) => ({ tenantId: id, objects: {}, approval: 'given' }),
  after: async ({ id, task, fault }, stage, went) => {
    const place = await placeOf(stage, id);
    const begun = went === 'well' || task === 'AwaitWorkload' || (task === 'RestoreObjects' && fault === 'unheard');
    expect(await looks(place)).toBe(begun ? 'whole' : 'damaged');
    const { rows } = await stage.control.query<{ status: string; begun: boolean }>(
      'SELECT status, safety_backup_id IS NOT NULL AS begun FROM restores WHERE operation_id = $1',
      [id],
    );
    expect(rows).toEqual([{ status: went === 'well' ? 'restored' : 'failed', begun }]);
    if (begun && went === 'badly') {
      stage.saboteur.disarm(id);
      await expectWayBack(stage, place, id);
    }
  },
};

/** The steps of a restore of Kubernetes objects, each with a tenant of its own whose objects somebody has damaged. */
export const objectFaults: Omit<Faults, 'some'> = {
  machines: ['restore-tenant'],
  ownPlaces: 'only',
  prepare: async (stage, cells) => {
    const ids = cells.map(({ id }) => id);
    await provision(stage, ids, 'namespace');
    await backUp(stage, ids);
    await inTurns(ids, async (id) => damageObjects(await placeOf(stage, id)));
  },
  plays: { PlanObjects: restore, RestoreObjects: restore, AwaitWorkload: restore },
};
