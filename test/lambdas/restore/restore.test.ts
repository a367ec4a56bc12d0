import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import type { World } from '../../../adapters/world.ts';
import { handler as abandonRestore } from '../../../lambdas/restore/abandon-restore.ts';
import { handler as compareRestore } from '../../../lambdas/restore/compare-restore.ts';
import { handler as discardRestore } from '../../../lambdas/restore/discard-restore.ts';
import { handler as finishRestore } from '../../../lambdas/restore/finish-restore.ts';
import { handler as requestApproval } from '../../../lambdas/restore/request-approval.ts';
import { handler as stageRestore } from '../../../lambdas/restore/stage-restore.ts';
import { handler as swapRestore } from '../../../lambdas/restore/swap-restore.ts';
import { handler as undoRestore } from '../../../lambdas/restore/undo-restore.ts';
import { addBackedUpTenant, type BackedUpTenant, failure, inPlace } from './backed-up-tenant.ts';
import { type RestoreLaptop, startRestoreLaptop } from './restore-laptop.ts';

let bench: RestoreLaptop;
let world: World;
beforeAll(async () => {
  bench = await startRestoreLaptop();
  world = bench.world;
  await bench.addTenant('neighbour');
});
afterAll(() => bench.stop());

let tenantId = '';
let operation = '';
let backupId = '';
let harm: BackedUpTenant['harm'];
let about: BackedUpTenant['about'];
beforeEach(async () => {
  ({ tenantId, operation, backupId, harm, about } = await addBackedUpTenant(bench));
});

describe('a restore in place', () => {
  test('brings a whole tenant back from its newest backup and ends well', async () => {
    const [before, neighbour] = [await bench.rows(tenantId), await bench.rows('neighbour')];
    await harm();
    const planned = await bench.plan(operation, { tenantId, ...inPlace });
    expect(planned).toMatchObject({ backupId, into: 'in-place', approval: false, dryRun: false, staged: false });
    const swapped = await bench.restore(operation, { tenantId, ...inPlace });
    expect(swapped).toMatchObject({ inserted: 4, updated: 12, fencedMs: expect.any(Number) });
    expect(await bench.rows(tenantId)).toEqual(before);
    expect(await bench.rows('neighbour')).toEqual(neighbour);
    expect(await world.registry.operations.get(operation)).toMatchObject({ status: 'succeeded' });
    expect(await world.registry.leases.get(tenantId)).toMatchObject({ holder: null });
    expect(await world.registry.restores.get(planned.restoreId)).toMatchObject({
      status: 'swapped',
      result: { inserted: 4, updated: 12 },
      report: { warnings: [], broken: [], comparedAgain: false },
    });
  });

  test('keeps the replaced rows for a week, drops staging, and can be undone and undone again', async () => {
    await harm();
    const harmed = await bench.rows(tenantId);
    const { undoUntil, inserted, updated, removed } = await bench.restore(operation, { tenantId, ...inPlace });
    expect((Date.parse(undoUntil) - Date.now()) / 86_400_000).toBeCloseTo(7, 2);
    const restore = (await world.registry.restores.ofOperation(operation))[0]!;
    expect(await bench.schemas()).toContain(restore.undoSchema);
    expect(await bench.schemas()).not.toContain(restore.stagingSchema);
    const undo = { operation: `undo-${tenantId}`, execution: 'arn', tenantId, restoreId: restore.id };
    const undone = await undoRestore.run(undo, world);
    expect(undone).toEqual({ removed: inserted, inserted: removed, updated });
    expect(await bench.rows(tenantId)).toEqual(harmed);
    expect(await undoRestore.run(undo, world)).toEqual(undone);
    expect(await undoRestore.run({ ...undo, operation: `${undo.operation}-again` }, world)).toEqual(undone);
    expect(await world.registry.restores.get(restore.id)).toMatchObject({ status: 'undone' });
    expect(await bench.schemas()).not.toContain(restore.undoSchema);
  });

  test('of which every step runs twice is done once', async () => {
    const before = await bench.rows(tenantId);
    await harm();
    const first = await bench.prepare(operation, { tenantId, ...inPlace });
    const again = await bench.prepare(operation, { tenantId, ...inPlace });
    expect(again).toEqual(first);
    const swapped = await swapRestore.run(about(first.restoreId), world);
    expect(await swapRestore.run(about(first.restoreId), world)).toEqual(swapped);
    const finish = { ...about(first.restoreId), outcome: 'swapped' };
    const finished = await finishRestore.run(finish, world);
    expect(await finishRestore.run(finish, world)).toEqual(finished);
    expect(await bench.rows(tenantId)).toEqual(before);
  });

  test('whose swap committed but was never answered finds its mark', async () => {
    const before = await bench.rows(tenantId);
    await harm();
    const { restoreId } = await bench.prepare(operation, { tenantId, ...inPlace });
    const swapped = await swapRestore.run(about(restoreId), world);
    // The state of the registry between the commit in the pool and the note of it.
    await bench.laptop.sql.query(`UPDATE restores SET status = 'compared', result = NULL WHERE id = $1`, [restoreId]);
    expect(await swapRestore.run(about(restoreId), world)).toMatchObject({ inserted: swapped.inserted, updated: 12 });
    expect(await bench.rows(tenantId)).toEqual(before);
    expect(await world.registry.restores.get(restoreId)).toMatchObject({ status: 'swapped' });
  });

  test('waits for an approval with the lease free, and goes on with a fresh one', async () => {
    await harm();
    const planned = await bench.prepare(operation, { tenantId, into: 'in-place' });
    expect(planned.approval).toBe(true);
    await requestApproval.run({ ...about(planned.restoreId), token: 'task-token' }, world);
    expect(await world.registry.leases.get(tenantId)).toMatchObject({ holder: null });
    expect(await world.registry.operations.get(operation)).toMatchObject({ status: 'awaiting-approval' });
    const discard = { operation: `discard-${tenantId}`, execution: 'arn', tenantId, restoreId: planned.restoreId };
    await expect(discardRestore.run(discard, world)).rejects.toMatchObject({ name: 'RestoreRefused' });
    await abandonRestore.run({ operation: discard.operation, tenantId, failure }, world);
    expect(await world.registry.operations.takeApproval(operation)).toBe('task-token');
    expect(await swapRestore.run(about(planned.restoreId), world)).toMatchObject({ updated: 12 });
  });
});

describe('a copy', () => {
  test('changes nothing live, is put in place later by another operation, and undo reaches it', async () => {
    const before = await bench.rows(tenantId);
    await harm();
    const harmed = await bench.rows(tenantId);
    const planned = await bench.prepare(operation, { tenantId, tables: ['messages'] });
    expect(planned.into).toBe('copy');
    expect(planned.warnings).toContain(
      'referredBy public.reactions: public.reactions (tenant_id, message_id) refers to restored rows, and it is not restored',
    );
    expect(await finishRestore.run({ ...about(planned.restoreId), outcome: 'staged' }, world)).toEqual({
      restoreId: planned.restoreId,
      status: 'staged',
    });
    expect(await bench.rows(tenantId)).toEqual(harmed);
    const swap = `swap-${tenantId}`;
    const opened = { tenantId, action: 'swap', restoreId: planned.restoreId, approval: 'given' };
    const reopened = await bench.prepare(swap, opened);
    expect(reopened).toMatchObject({ restoreId: planned.restoreId, into: 'in-place', staged: true, approval: false });
    await swapRestore.run(about(planned.restoreId, swap), world);
    await finishRestore.run({ ...about(planned.restoreId, swap), outcome: 'swapped' }, world);
    expect((await bench.rows(tenantId)).messages).toBe(before.messages);
    expect((await bench.rows(tenantId)).reactions).toBe('');
    await undoRestore.run({ ...about(planned.restoreId, `undo-${tenantId}`), execution: 'arn' }, world);
    expect((await bench.rows(tenantId)).messages).toBe(harmed.messages);
  });

  test('stays when putting it in place failed', async () => {
    const planned = await bench.prepare(operation, { tenantId });
    await finishRestore.run({ ...about(planned.restoreId), outcome: 'staged' }, world);
    await bench.prepare('failing-swap', { tenantId, action: 'swap', restoreId: planned.restoreId });
    await abandonRestore.run({ ...about(planned.restoreId, 'failing-swap'), failure }, world);
    const restore = (await world.registry.restores.get(planned.restoreId))!;
    expect(restore).toMatchObject({ status: 'staged', failure: 'SwapRestore: 4 rows' });
    expect(await bench.schemas()).toContain(restore.stagingSchema);
    await bench.prepare('second-swap', { tenantId, action: 'swap', restoreId: planned.restoreId, approval: 'given' });
    await swapRestore.run(about(planned.restoreId, 'second-swap'), world);
  });

  test('of another operation is swapped by nobody but the one in charge', async () => {
    await harm();
    const harmed = await bench.rows(tenantId);
    const planned = await bench.prepare(operation, { tenantId });
    await finishRestore.run({ ...about(planned.restoreId), outcome: 'staged' }, world);
    await expect(swapRestore.run(about(planned.restoreId, 'stranger'), world)).rejects.toMatchObject({
      name: 'StaleOperation',
      message: expect.stringMatching(/in the hands of operation restore-/),
    });
    expect(await bench.rows(tenantId)).toEqual(harmed);
  });

  test('is gone after a discard, which may come twice', async () => {
    const planned = await bench.prepare(operation, { tenantId });
    await finishRestore.run({ ...about(planned.restoreId), outcome: 'staged' }, world);
    const restore = (await world.registry.restores.get(planned.restoreId))!;
    const discard = { operation: `discard-${tenantId}`, execution: 'arn', tenantId, restoreId: planned.restoreId };
    expect(await discardRestore.run(discard, world)).toEqual({});
    expect(await discardRestore.run(discard, world)).toEqual({});
    expect(await bench.schemas()).not.toContain(restore.stagingSchema);
    expect(await world.registry.restores.get(planned.restoreId)).toMatchObject({ status: 'discarded' });
  });

  test('that was only looked at leaves nothing behind but its report', async () => {
    await harm();
    const planned = await bench.prepare(operation, { tenantId, dryRun: true, into: 'in-place' });
    expect(planned).toMatchObject({ dryRun: true, approval: false });
    await finishRestore.run({ ...about(planned.restoreId), outcome: 'previewed' }, world);
    const restore = (await world.registry.restores.get(planned.restoreId))!;
    expect(restore.status).toBe('previewed');
    expect(restore.report?.tables.find(({ table }) => table === 'public.messages')).toMatchObject({ changed: 12 });
    expect(await bench.schemas()).not.toContain(restore.stagingSchema);
  });
});

describe('a restore that fails', () => {
  test('leaves live rows, frees the lease, drops staging and says why', async () => {
    await harm();
    const harmed = await bench.rows(tenantId);
    const planned = await bench.prepare(operation, { tenantId, ...inPlace });
    const abandon = { ...about(planned.restoreId), failure };
    expect(await abandonRestore.run(abandon, world)).toEqual({
      reason: '4 rows',
      failedStep: 'SwapRestore',
      error: 'BrokenReferences',
    });
    expect(await abandonRestore.run(abandon, world)).toMatchObject({ reason: '4 rows' });
    expect(await bench.rows(tenantId)).toEqual(harmed);
    const restore = (await world.registry.restores.get(planned.restoreId))!;
    expect(restore).toMatchObject({ status: 'failed', failure: 'SwapRestore: 4 rows' });
    expect(await bench.schemas()).not.toContain(restore.stagingSchema);
    expect(await world.registry.leases.get(tenantId)).toMatchObject({ holder: null });
    await expect(swapRestore.run(about(planned.restoreId), world)).rejects.toMatchObject({ name: 'StaleOperation' });
  });

  test('after its swap had committed tells so, and undo still works', async () => {
    await harm();
    const harmed = await bench.rows(tenantId);
    const { restoreId } = await bench.prepare(operation, { tenantId, ...inPlace });
    await swapRestore.run(about(restoreId), world);
    await bench.laptop.sql.query(
      `UPDATE restores SET status = 'compared', result = NULL, undo_until = NULL WHERE id = $1`,
      [restoreId],
    );
    await abandonRestore.run(
      { ...about(restoreId), failure: { step: 'SwapRestore', error: 'States.Timeout', cause: '' } },
      world,
    );
    expect(await world.registry.restores.get(restoreId)).toMatchObject({ status: 'swapped', result: { updated: 12 } });
    await undoRestore.run({ ...about(restoreId, `undo-${tenantId}`), execution: 'arn' }, world);
    expect(await bench.rows(tenantId)).toEqual(harmed);
  });

  test('because a bit of its archive flipped touches nothing', async () => {
    await harm();
    const harmed = await bench.rows(tenantId);
    const { restoreId } = await bench.plan(operation, { tenantId, ...inPlace });
    const manifest = await world.archive.manifest(tenantId, backupId);
    const member = manifest.members.find(({ table }) => table === 'public.messages')!;
    const key = `t/${tenantId}/${backupId}/${member.object}`;
    const bytes = (await world.archive.objects.bytes(key))!;
    bytes.writeUInt8(bytes.readUInt8(member.offset + 30) ^ 1, member.offset + 30);
    await world.archive.objects.put(key, bytes);
    await expect(stageRestore.run(about(restoreId), world)).rejects.toMatchObject({ name: 'ArchiveDamaged' });
    await expect(compareRestore.run(about(restoreId), world)).rejects.toMatchObject({ name: 'RestoreRefused' });
    expect(await bench.rows(tenantId)).toEqual(harmed);
  });

  test('by undo is told for what it is; the restore stays undoable', async () => {
    await harm();
    await bench.restore(operation, { tenantId, ...inPlace });
    await bench.as(tenantId, `UPDATE messages SET body = 'users went on'`);
    const restore = (await world.registry.restores.ofOperation(operation))[0]!;
    const undo = { ...about(restore.id, `undo-${tenantId}`), execution: 'arn' };
    await expect(undoRestore.run(undo, world)).rejects.toMatchObject({
      name: 'RestoreRefused',
      message: expect.stringMatching(/12 of public\.messages.*force/),
    });
    await abandonRestore.run(
      { operation: undo.operation, tenantId, failure: { ...failure, step: 'UndoRestore' } },
      world,
    );
    expect(await world.registry.restores.get(restore.id)).toMatchObject({ status: 'swapped' });
    await undoRestore.run({ ...undo, operation: 'undo-by-force', force: true }, world);
    await expect(
      undoRestore.run({ ...undo, operation: 'undo-nothing', restoreId: 'r-000000000000' }, world),
    ).rejects.toMatchObject({ name: 'RestoreNotFound' });
  });

  test('too late for an undo is refused, and the next plan drops the kept rows', async () => {
    await harm();
    await bench.restore(operation, { tenantId, ...inPlace });
    const restore = (await world.registry.restores.ofOperation(operation))[0]!;
    await bench.laptop.sql.query(`UPDATE restores SET undo_until = now() - interval '1 second' WHERE id = $1`, [
      restore.id,
    ]);
    const undo = { ...about(restore.id, `undo-${tenantId}`), execution: 'arn' };
    await expect(undoRestore.run(undo, world)).rejects.toMatchObject({
      message: expect.stringMatching(/could be undone until/),
    });
    await abandonRestore.run({ operation: undo.operation, tenantId, failure }, world);
    await bench.plan(`${operation}-next`, { tenantId });
    expect(await bench.schemas()).not.toContain(restore.undoSchema);
  });
});
