import { afterAll, beforeAll, expect, test } from 'vitest';
import type { World } from '../../../adapters/world.ts';
import { type StepName, steps, workflows } from '../../../domain/workflows.ts';
import { handler as loadClone } from '../../../lambdas/clone/load-clone.ts';
import { handler as planClone } from '../../../lambdas/clone/plan-clone.ts';
import { handler as prepareDatabase } from '../../../lambdas/placement/prepare-database.ts';
import { handler as claimTenant } from '../../../lambdas/provision/claim-tenant.ts';
import { handler as placeTenant } from '../../../lambdas/provision/place-tenant.ts';
import { handler as abandonRestore } from '../../../lambdas/restore/abandon-restore.ts';
import { handler as compareRestore } from '../../../lambdas/restore/compare-restore.ts';
import { handler as discardRestore } from '../../../lambdas/restore/discard-restore.ts';
import { handler as finishRestore } from '../../../lambdas/restore/finish-restore.ts';
import { handler as planRestore } from '../../../lambdas/restore/plan-restore.ts';
import { handler as stageRestore } from '../../../lambdas/restore/stage-restore.ts';
import { handler as swapRestore } from '../../../lambdas/restore/swap-restore.ts';
import { handler as undoRestore } from '../../../lambdas/restore/undo-restore.ts';
import { type RestoreLaptop, startRestoreLaptop } from './restore-laptop.ts';

let bench: RestoreLaptop;
let world: World;
const roles = new Set<string>();
beforeAll(async () => {
  bench = await startRestoreLaptop();
  const { databases } = bench.world;
  const connect: typeof databases.connect = (place, role) => {
    roles.add(role);
    return databases.connect(place, role);
  };
  const lend: typeof databases.lend = (place, role, work) => {
    roles.add(role);
    return databases.lend(place, role, work);
  };
  world = Object.create(bench.world, { databases: { value: { ...databases, connect, lend } } }) as World;
  await bench.addTenant('acme');
  await bench.backUp('acme');
});
afterAll(() => bench.stop());

const about = (operation: string, restoreId: string, tenantId = 'acme') => ({ operation, tenantId, restoreId });

test('every step of a restore, its undo and its end logs in as the restore login, which is bound by the policies', async () => {
  await bench.as('acme', `UPDATE messages SET body = 'gone'`);
  const start = { operation: 'restore-1', execution: 'arn', tenantId: 'acme', into: 'in-place', approval: 'given' };
  const { restoreId } = await planRestore.run(start, world);
  await stageRestore.run(about('restore-1', restoreId), world);
  await compareRestore.run(about('restore-1', restoreId), world);
  await swapRestore.run(about('restore-1', restoreId), world);
  await finishRestore.run({ ...about('restore-1', restoreId), outcome: 'swapped' }, world);
  await undoRestore.run({ ...about('undo-1', restoreId), execution: 'arn' }, world);
  const failure = { step: 'SwapRestore', error: 'RestoreRefused', cause: '' };
  await abandonRestore.run({ operation: 'restore-2', tenantId: 'acme', failure }, world);
  await discardRestore.run({ ...about('discard-1', restoreId), execution: 'arn' }, world);
  expect([...roles]).toEqual(['restore']);
  const master = await bench.connect('migrate');
  const { rows } = await master.query(
    `SELECT rolsuper, rolbypassrls, rolcreaterole, rolcreatedb, rolreplication,
       (SELECT count(*)::int FROM pg_auth_members m WHERE m.member = r.oid) AS memberships
     FROM pg_roles r WHERE rolname IN ('tenantry_restore', 'tenantry_provision')`,
  );
  const bound = {
    rolsuper: false,
    rolbypassrls: false,
    rolcreaterole: false,
    rolcreatedb: false,
    rolreplication: false,
    memberships: 0,
  };
  expect(rows).toEqual([bound, bound]);
});

test('a clone is prepared by provision and loaded by restore, and staging belongs to restore alone', async () => {
  roles.clear();
  const operation = 'clone-1';
  const { restoreId } = await planClone.run(
    { operation, execution: 'arn', tenantId: 'acme', newTenantId: 'acme-copy' },
    world,
  );
  await claimTenant.run({ operation, execution: 'arn', tenantId: 'acme-copy', plan: 'starter' }, world);
  await placeTenant.run({ operation, tenantId: 'acme-copy' }, world);
  expect([...roles]).toEqual(['restore']);
  await prepareDatabase.run({ operation, tenantId: 'acme-copy' }, world);
  const input = { ...about(operation, restoreId, 'acme-copy'), sourceTenantId: 'acme' };
  await stageRestore.run(input, world);
  const master = await bench.connect('migrate');
  const { rows } = await master.query(
    `SELECT DISTINCT pg_get_userbyid(c.relowner) AS owner FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
     WHERE n.nspname LIKE 'tn\\_stage%' AND c.relkind = 'r'`,
  );
  expect(rows).toEqual([{ owner: 'tenantry_restore' }]);
  await loadClone.run(input, world);
  expect([...roles].sort()).toEqual(['provision', 'restore']);
});

test('no step that reads an archive into a tenant may log in as an owner of its tables', () => {
  const own: readonly StepName[] = [...workflows['restore-tenant'], ...workflows['clone-tenant']];
  for (const name of own)
    expect(
      steps[name].reach.filter((reach) => /^database:(migrate|backup|replicate)$/.test(reach)),
      name,
    ).toEqual([]);
});
