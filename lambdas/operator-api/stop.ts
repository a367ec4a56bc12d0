import { endOffboarding, endProvisioning } from '../../adapters/registry/endings.ts';
import type { World } from '../../adapters/world.ts';
import type { Operation } from '../../domain/operation.ts';

/**
 * What a machine's own compensation would have done: a stopped execution runs no Catch. The operation ends as failed, its
 * lease is free, and the registry says of the tenant what is true: a signup that had touched the tenant's database leaves
 * it `failed` with its slug, an offboarding that had not brings it back.
 */
export const endStopped = async ({ registry }: World, operation: Operation, why: string): Promise<void> => {
  const { id, kind, executionArn } = operation;
  const tenantId = operation.tenantId ?? undefined;
  const steps = await registry.journal.list(id);
  const failure = {
    reason: why,
    failedStep: steps.at(-1)?.step ?? '(not started)',
    error: 'Stopped',
    stopped: true,
    tenantId,
    executionArn,
  };
  if (kind === 'provision-tenant') {
    const touched = steps.some(({ step }) => step === 'PrepareDatabase');
    await endProvisioning(registry, { operation: id, ...failure }, !touched);
  } else if (kind === 'deprovision-tenant') {
    await endOffboarding(registry, { operation: id, ...failure });
  } else {
    await registry.transaction(async ({ operations, leases, restores, backups }) => {
      for (const restore of await restores.ofOperation(id))
        await restores.abandon({ id: restore.id, operation: id, failure: why });
      for (const backup of await backups.ofOperation(id)) {
        await backups.fail(backup.id, why);
        await leases.release({ tenantId: backup.tenantId, holder: id });
      }
      await operations.fail(id, { ...failure, kind });
      if (tenantId !== undefined) await leases.release({ tenantId, holder: id });
    });
  }
};
