import type { Restore } from '../../adapters/registry/restores.ts';
import type { World } from '../../adapters/world.ts';
import type { Operation } from '../../domain/operation.ts';
import type { TenantStatus } from '../../domain/tenant.ts';
import type { WorkflowName } from '../../domain/workflows.ts';
import { Problem } from './problem.ts';

/** What a tenant must be for the first step of each workflow; a signup wants none of that name. */
const ready: Readonly<Partial<Record<WorkflowName, readonly TenantStatus[]>>> = {
  'back-up-tenant': ['active', 'suspended'],
  'restore-tenant': ['active', 'suspended'],
  'recover-point-in-time': ['active', 'suspended'],
  // Only its archives are read.
  'clone-tenant': ['active', 'suspended', 'failed', 'deprovisioning', 'deprovisioned'],
  'deprovision-tenant': ['active', 'suspended', 'failed'],
};

/** What a copy must be for the action that is tried again. */
const actionable: Readonly<Record<string, readonly Restore['status'][]>> = {
  swap: ['staged', 'compared'],
  undo: ['swapped'],
  discard: ['planned', 'staged', 'compared', 'failed', 'swapped'],
};

/** They look for their tenants themselves, and leave out those that are in no state for it. */
const ofNoTenant: readonly WorkflowName[] = ['back-up-fleet', 'drill-restores', 'expire-backups'];

const checkSignup = async ({ registry, now }: World, tenantId: string): Promise<void> => {
  const tenant = await registry.tenants.get(tenantId);
  if (!tenant || (tenant.status === 'deprovisioned' && (tenant.reservedUntil ?? now()) <= now())) return;
  const why =
    tenant.status === 'failed'
      ? 'it is failed: rows of the first attempt may be in its database; delete the tenant, which frees its place, and sign up under another name'
      : `it is ${tenant.status} since operation ${tenant.changedBy}`;
  throw new Problem(409, 'tenant-exists', `tenant ${tenantId} cannot be signed up again: ${why}`);
};

const checkRestore = async ({ registry }: World, input: object): Promise<void> => {
  const { action, restoreId } = input as { action?: unknown; restoreId?: unknown };
  const from = typeof action === 'string' ? actionable[action] : undefined;
  if (from === undefined || typeof restoreId !== 'string') return;
  const restore = await registry.restores.get(restoreId);
  if (restore && from.includes(restore.status)) return;
  throw new Problem(
    409,
    'restore-refused',
    `restore ${restoreId} is ${restore?.status ?? 'gone'}; ${String(action)} needs one that is ${from.join(' or ')}`,
  );
};

/** The recorded input as one of the machine: what the first step recorded may name the tenant beside it. */
export const inputOf = ({ input, tenantId }: Operation): object => ({
  ...(input as object),
  ...(tenantId === null ? {} : { tenantId }),
});

/**
 * Says before anything is started what the first step of a new attempt would say. Throws Problem 409: the tenant or the copy
 * is not in a state for it, or the operation was part of another one.
 */
export const checkRedrive = async (world: World, operation: Operation): Promise<void> => {
  const { id, kind, tenantId, parent } = operation;
  if (parent !== null)
    throw new Problem(409, 'operation-over', `operation ${id} was part of operation ${parent}; try that one again`);
  if (ofNoTenant.includes(kind)) return;
  if (tenantId === null)
    throw new Problem(409, 'operation-over', `operation ${id} has no tenant to work on; send a new request`);
  if (kind === 'provision-tenant') return checkSignup(world, tenantId);
  const tenant = await world.registry.tenants.get(tenantId);
  const statuses = ready[kind] ?? [];
  if (!tenant || !statuses.includes(tenant.status))
    throw new Problem(
      409,
      'tenant-not-ready',
      `tenant ${tenantId} is ${tenant?.status ?? 'gone'}; ${kind} needs one that is ${statuses.join(' or ')}`,
    );
  if (kind === 'restore-tenant') await checkRestore(world, inputOf(operation));
};
