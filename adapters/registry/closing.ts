import { StepFailure } from '../../domain/errors.ts';
import { describeEnd, type ExecutionEnd, ownEnds } from '../../domain/execution-end.ts';
import type { Operation } from '../../domain/operation.ts';
import { wayBack } from '../../domain/restore-objects.ts';
import { settleOffboarding, settleProvisioning } from './endings.ts';
import type { OperationFailure } from './operations.ts';
import { settlePlanChange } from './plan-state.ts';
import type { Registry, RegistryParts } from './registry.ts';

type Failure = OperationFailure & { readonly operation: string };

const tenantOf = (input: string | undefined): string | undefined => {
  try {
    const tenantId = (JSON.parse(input ?? '{}') as { tenantId?: unknown } | null)?.tenantId;
    return typeof tenantId === 'string' ? tenantId : undefined;
  } catch {
    return undefined;
  }
};

/** Steps behind which something of the tenant may be there outside the registry. */
const placeMaking = ['CreateServer', 'CreateDatabase', 'PrepareDatabase'];

/** Nothing here logs in to a tenant's database: what a restore had staged there stays until it is discarded. */
const failRestores = async ({ restores, journal }: RegistryParts, { operation, reason }: Failure): Promise<void> => {
  const swapping = (await journal.list(operation)).some(({ step }) => step === 'SwapRestore');
  for (const { id, tenantId, stagingSchema, safetyBackupId } of await restores.ofOperation(operation)) {
    const left = `its copy ${stagingSchema} stays in the database until restore ${id} is discarded`;
    const doubt = swapping ? '; the swap had begun, so discarding looks first whether it was committed' : '';
    const back = safetyBackupId
      ? `; Kubernetes objects may have been set back: ${wayBack(tenantId, safetyBackupId)}`
      : '';
    await restores.abandon({ id, operation, failure: `${reason}; ${left}${doubt}${back}` });
  }
};

/** A clone is an operation on the tenant that is read; what it leaves behind belongs to the one that it makes. */
const ofNewTenant = async ({ operations }: RegistryParts, failure: Failure): Promise<Failure> => {
  const { newTenantId } = ((await operations.get(failure.operation))?.input ?? {}) as { newTenantId?: unknown };
  return { ...failure, tenantId: typeof newTenantId === 'string' ? newTenantId : undefined };
};

const settle = async (parts: RegistryParts, failure: Failure): Promise<void> => {
  const { operations, backups, leases, journal } = parts;
  const { operation, kind, reason } = failure;
  await operations.fail(operation, failure);
  // Read behind the operation's row lock: a step that is not in the journal by now can take the lease no more.
  if (kind === 'provision-tenant' || kind === 'clone-tenant') {
    const touched = (await journal.list(operation)).some(({ step }) => placeMaking.includes(step));
    await settleProvisioning(parts, kind === 'clone-tenant' ? await ofNewTenant(parts, failure) : failure, !touched);
  }
  if (kind === 'deprovision-tenant') await settleOffboarding(parts, failure);
  if (kind === 'change-plan') await settlePlanChange(parts, failure);
  await failRestores(parts, failure);
  for (const backup of await backups.ofOperation(operation)) await backups.fail(backup.id, reason);
  await leases.releaseAll(operation);
};

/**
 * Ends an operation whose execution ended before a step could: stopped, timed out, or failed in its compensation. It fails with
 * the reason, open steps are lost, its leases are free, its backups and restores are failed; a signup that had touched the
 * tenant's database leaves it `failed` with its slug, an offboarding that had not brings the tenant back as it was.
 * Answers the failed operation, undefined when there was nothing to end: it succeeded, or its machine did all this itself.
 * A repeat answers the same and changes nothing.
 */
export const closeOperation = async (registry: Registry, end: ExecutionEnd): Promise<Operation | undefined> => {
  const { operation, executionArn, error } = end;
  const known = await registry.operations.get(operation);
  if (known?.status === 'succeeded') return undefined;
  if (known?.status === 'failed' && error !== undefined && ownEnds.includes(error)) return undefined;
  const failure: Failure = {
    ...describeEnd(end, await registry.journal.list(operation), known?.parent),
    operation,
    kind: known?.kind ?? end.kind,
    tenantId: known?.tenantId ?? tenantOf(end.input),
    executionArn,
    stopped: true,
  };
  try {
    await registry.transaction((parts) => settle(parts, failure));
  } catch (cause) {
    // Its last step had the better of us: it ended well.
    if (cause instanceof StepFailure && cause.name === 'StaleOperation') return undefined;
    throw cause;
  }
  return registry.operations.get(operation);
};
