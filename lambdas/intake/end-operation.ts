import { closeOperation } from '../../adapters/registry/closing.ts';
import type { World } from '../../adapters/world.ts';
import { countDrills } from '../../domain/drill.ts';
import { type ExecutionEnd, failureEvents } from '../../domain/execution-end.ts';
import type { Operation } from '../../domain/operation.ts';
import { logger } from './batch.ts';

const announcement = async ({ registry }: World, operation: Operation): Promise<object> => {
  const { id, tenantId, reason, failedStep, error } = operation;
  if (operation.kind === 'drill-restores') {
    const found = await registry.drills.ofOperation(id);
    return { operation: id, outcome: 'failed', ...countDrills(found.length, found) };
  }
  if (operation.kind === 'expire-backups')
    return { operation: id, outcome: 'failed', tenants: 0, expired: await registry.retention.deletedBy(id), busy: 0 };
  if (operation.kind !== 'back-up-fleet')
    return { tenantId: tenantId ?? '(none)', operation: id, outcome: 'failed', reason, failedStep, error };
  const records = await registry.backups.ofOperation(id);
  const sealed = records.filter(({ status }) => status === 'sealed').length;
  return { operation: id, tenants: records.length, sealed, failed: records.length - sealed };
};

/**
 * Does what the machine of an operation can do no more: ends it in the registry, announces the result, removes the objects of
 * backups that will never be sealed. In this order, each safe to repeat: what fails is done by the next delivery.
 */
export const endOperation = async (world: World, end: ExecutionEnd): Promise<void> => {
  const { registry, bus, archive } = world;
  const operation = await closeOperation(registry, end);
  if (operation === undefined) return;
  const { id, kind } = operation;
  logger.warn('operation ended from outside', { operation: id, status: end.status, reason: operation.reason });
  const detailType = failureEvents[kind];
  if (detailType !== undefined)
    await registry.operations.announce(id, async () => bus.announce(detailType, await announcement(world, operation)));
  for (const backup of await registry.backups.ofOperation(id))
    if (backup.status === 'failed') await archive.remove(backup.tenantId, backup.id);
};
