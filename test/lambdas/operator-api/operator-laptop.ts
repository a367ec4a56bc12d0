import type { AuditRow } from '../../../adapters/registry/audit.ts';
import { operatorApi } from '../../../lambdas/operator-api/app.ts';
import { setUp } from '../../../lambdas/set-up.ts';
import type { FunctionInvoker } from '../../../local/ports.ts';
import { type Laptop, startLaptop } from './laptop.ts';

export interface Answer {
  readonly status: number;
  readonly type: string | null;
  // biome-ignore lint/suspicious/noExplicitAny: a test reads whatever the API answered
  readonly body: any;
}

export interface OperatorLaptop extends Laptop {
  readonly api: ReturnType<typeof operatorApi>;
  /** A request to the API as the operator ada; a text is sent as it is, another body as JSON. */
  call(method: string, path: string, body?: unknown, headers?: object): Promise<Answer>;
  /** An id that no tenant has had here. */
  newTenantId(): string;
  /** An active tenant as a signup leaves it. */
  activeTenant(tenantId: string): Promise<void>;
  /** What the audit holds of a tenant, in its order. */
  auditOf(tenantId: string): Promise<Pick<AuditRow, 'actor' | 'action' | 'phase' | 'outcome' | 'operation'>[]>;
}

/** The laptop with a registry that is set up, and the operator API on it. Machines are for the test to create. */
export const startOperatorLaptop = async (functions?: FunctionInvoker): Promise<OperatorLaptop> => {
  const laptop = await startLaptop(functions);
  await setUp(laptop.setUpInput, laptop.world);
  const api = operatorApi(() => laptop.world);
  let number = 0;
  return {
    ...laptop,
    api,
    call: async (method, path, body, headers = {}) => {
      const response = await api.request(`/api/v1${path}`, {
        method,
        headers: { 'x-tenantry-actor': 'ada', ...headers },
        ...(body === undefined ? {} : { body: typeof body === 'string' ? body : JSON.stringify(body) }),
      });
      return { status: response.status, type: response.headers.get('content-type'), body: await response.json() };
    },
    newTenantId: () => {
      number += 1;
      return `tenant${number}`;
    },
    activeTenant: async (tenantId) => {
      const { tenants, placements, operations } = laptop.world.registry;
      const operation = `provision-${tenantId}`;
      await operations.open({
        id: operation,
        kind: 'provision-tenant',
        tenantId,
        executionArn: 'arn',
        input: { tenantId },
      });
      await tenants.claim({ id: tenantId, operation, plan: 'starter' });
      await placements.place({ tenantId, operation, plan: 'starter' });
      await tenants.move(tenantId, { from: ['provisioning'], to: 'active', operation });
      await operations.succeed(operation);
    },
    auditOf: async (tenantId) =>
      (await laptop.world.registry.audit.list({ tenantId, limit: 100 })).map(
        ({ actor, action, phase, outcome, operation }) => ({ actor, action, phase, outcome, operation }),
      ),
  };
};
