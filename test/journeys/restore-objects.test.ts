import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { Cluster } from '../../adapters/cluster/cluster.ts';
import { strip } from '../../domain/workload/exported.ts';
import type { KubeObject } from '../../domain/workload/object.ts';
import { terminal } from '../cli/terminal.ts';
import { until } from '../cloud.ts';
import { expectServed, openTierWorld, type TierWorld } from './tier-life.ts';

let world: TierWorld;
let cluster: Cluster;
let tenantry: ReturnType<typeof terminal>;
const namespaces = new Map<string, string>();

const signUp = async (tenantId: string): Promise<void> => {
  const request = { tenantId, plan: 'starter', tier: 'namespace', isolation: 'pooled', force: true, reason: 'a test' };
  await world.run('provision-tenant', request);
  const { rows } = await world.control.query<{ cluster: string; namespace: string }>(
    'SELECT cluster_id AS cluster, namespace FROM placements WHERE tenant_id = $1',
    [tenantId],
  );
  namespaces.set(tenantId, rows[0]!.namespace);
  cluster = await world.estate.cluster(rows[0]!.cluster);
};

beforeAll(async () => {
  world = await openTierWorld();
  tenantry = terminal(world.laptop.home);
  await signUp('acme');
  await signUp('globex');
}, 60_000);
afterAll(() => world?.close());

const backUp = async (tenantId = 'acme'): Promise<string> => {
  const { backups } = await world.run('back-up-tenant', { tenantId });
  return (backups as { backupId: string }[])[0]!.backupId;
};
const service = { apiVersion: 'v1', kind: 'Service', name: 'app' };
const read = async (kind: string, apiVersion: string, name = 'app'): Promise<KubeObject | undefined> =>
  cluster.get({ apiVersion, kind, namespace: namespaces.get('acme'), name });
const objectsOf = async (tenantId: string): Promise<unknown[]> => {
  const namespace = namespaces.get(tenantId);
  const kinds = ['v1 ConfigMap', 'v1 Service', 'v1 Secret', 'apps/v1 Deployment', 'networking.k8s.io/v1 Ingress'];
  const found = await Promise.all(
    kinds.map((text) => cluster.list({ apiVersion: text.split(' ')[0]!, kind: text.split(' ')[1]! }, { namespace })),
  );
  return found.flat().map(strip);
};
const environment = async (): Promise<Record<string, string>> => {
  const { spec } = (await read('Deployment', 'apps/v1'))! as unknown as {
    spec: { template: { spec: { containers: { env: { name: string; value: string }[] }[] } } };
  };
  return Object.fromEntries(spec.template.spec.containers[0]!.env.map(({ name, value }) => [name, value]));
};

/** As `kubectl edit` and `kubectl delete` do it: not by Tenantry's field manager. */
const byKubectl = (kind: string, apiVersion: string, more: object) =>
  cluster.apply([{ apiVersion, kind, metadata: { name: 'app', namespace: namespaces.get('acme') }, ...more }], {
    fieldManager: 'kubectl-edit',
  });
const editDeployment = (spec: object, container: object) =>
  byKubectl('Deployment', 'apps/v1', {
    spec: { ...spec, template: { spec: { containers: [{ name: 'app', ...container }] } } },
  });

describe('a tenant whose Kubernetes objects somebody broke', () => {
  test('sees what differs, gets them back, and is taken back to what it had; its neighbour never changed', async () => {
    const backup = await backUp();
    const neighbour = await objectsOf('globex');
    await byKubectl('ConfigMap', 'v1', { data: { DATABASE_NAME: 'nowhere', BY_HAND: '1' } });
    await editDeployment({}, { env: [{ name: 'EVIL', value: '1' }] });
    await cluster.remove({ ...service, namespace: namespaces.get('acme') });

    const listed = await tenantry.json<{ items: object[] }>(['backup', 'show', backup, '--objects']);
    expect(listed.items).toContainEqual({ apiVersion: 'v1', kind: 'Service', name: 'app' });
    const broken = await objectsOf('acme');
    const dry = await tenantry.run(
      'restore',
      'acme',
      '--objects',
      '--dry-run',
      '--kind',
      'ConfigMap,Deployment,Service',
    );
    expect(dry, dry.stderr).toMatchObject({ code: 0 });
    const namespace = namespaces.get('acme');
    for (const line of [
      `+ v1 Service ${namespace}/app`,
      `~ v1 ConfigMap ${namespace}/app`,
      '    data.BY_HAND: "1" -> none',
      `~ apps/v1 Deployment ${namespace}/app`,
      '{"name":"EVIL","value":"1"} -> none',
      '3 of 3 objects differ',
    ])
      expect(dry.stdout).toContain(line);
    expect(await objectsOf('acme')).toEqual(broken);

    const restored = await tenantry.run('restore', 'acme', '--objects', '--confirm', 'acme');
    expect(restored, restored.stderr).toMatchObject({ code: 0 });
    expect(await environment()).not.toHaveProperty('EVIL');
    expect((await read('ConfigMap', 'v1'))!.data).not.toHaveProperty('BY_HAND');
    await expectServed(world, 'acme');
    expect(await objectsOf('globex')).toEqual(neighbour);

    const [, safety] = /objects as they were before: npx tenantry restore acme --objects --backup (\S+)/.exec(
      restored.stderr,
    )!;
    const events = await world.laptop.eventually<{ detail: object }>(
      "SELECT detail FROM events WHERE detail_type = 'TenantRestored' AND detail ->> 'outcome' = 'restored'",
    );
    expect(events).toMatchObject([{ detail: { tenantId: 'acme', objects: 3, safetyBackupId: safety } }]);
    const back = await tenantry.run('restore', 'acme', '--objects', '--backup', safety!, '--confirm', 'acme');
    expect(back, back.stderr).toMatchObject({ code: 0 });
    expect(await environment()).toMatchObject({ EVIL: '1' });
    // The database is the one of today, whatever a backup says.
    const { data } = (await read('ConfigMap', 'v1'))! as unknown as { data: Record<string, string> };
    expect(data).toMatchObject({ BY_HAND: '1' });
    expect(data.DATABASE_NAME).not.toBe('nowhere');
    await expectServed(world, 'acme');
  }, 60_000);

  test('gets rows and objects of one backup by one request', async () => {
    const backupId = await backUp();
    const before = await world.digest('acme');
    const home = await world.homeOf('acme');
    await home.query("BEGIN; SET LOCAL session_replication_role = 'replica'");
    await home.query("UPDATE realms SET name = 'lost' WHERE tenant_id = 'acme'");
    await home.query('COMMIT');
    await cluster.remove({ ...service, namespace: namespaces.get('acme') });
    const objects = { kinds: ['Service'], withRows: true };
    const request = { tenantId: 'acme', backupId, into: 'in-place', approval: 'given', objects };
    const done = await world.run('restore-tenant', request);
    expect(done).toMatchObject({ outcome: 'swapped', objects: 1 });
    expect(await read('Service', 'v1')).toBeDefined();
    expect(await world.digest('acme')).toBe(before);
  }, 60_000);

  test('with an app that cannot run is served on, and told which backup takes it back', async () => {
    await editDeployment({ progressDeadlineSeconds: 3 }, { image: 'gone:1' });
    const backupId = await backUp();
    const well = { objects: { kinds: ['Deployment'] }, approval: 'given', tenantId: 'acme' };
    const first = (
      await world.control.query<{ id: string }>(
        "SELECT id FROM backups WHERE tenant_id = 'acme' AND kind = 'manual' ORDER BY taken_at LIMIT 1",
      )
    ).rows[0]!.id;
    const { laptop } = world;
    const asked = await laptop.start('restore-tenant', { ...well, approval: 'required', backupId: first }, 'asked');
    await until('somebody approves', async () =>
      (await laptop.api('POST', '/operations/asked/approve', {})).status < 300 ? true : undefined,
    );
    const approved = await laptop.ended(asked);
    expect(approved, approved.cause).toMatchObject({ status: 'SUCCEEDED' });
    expect(JSON.parse(approved.output!)).toMatchObject({ outcome: 'restored', objects: 1, tables: [] });
    await expectServed(world, 'acme');
    const bad = await world.laptop.run('restore-tenant', { ...well, backupId });
    expect(bad).toMatchObject({ status: 'FAILED', cause: expect.stringContaining('cannot get ready') });
    const [, safety] = /npx tenantry restore acme --objects --backup (\S+) --confirm acme/.exec(bad.cause!)!;
    await expectServed(world, 'acme');
    await world.run('restore-tenant', { ...well, backupId: safety });
    const { spec } = (await read('Deployment', 'apps/v1'))!;
    expect(JSON.stringify(spec)).not.toContain('gone:1');
  }, 60_000);
});
