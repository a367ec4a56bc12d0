import * as z from 'zod';
import { readScope } from '../../adapters/catalog/read-scope.ts';
import { compareRestore } from '../../adapters/restore/compare.ts';
import { inTenantDatabase, leaseSeconds } from '../../adapters/restore/tenant-database.ts';
import type { RestoreReport } from '../../domain/restore-report.ts';
import { step } from '../step.ts';

const counts = z.object({
  table: z.string(),
  onlyNow: z.int(),
  onlyThen: z.int(),
  changed: z.int(),
  same: z.int(),
});
const contract = {
  input: z.object({
    operation: z.string(),
    tenantId: z.string(),
    restoreId: z.string(),
    /** The comparison was made by a container task, which cannot answer: only its report is read. */
    reported: z.boolean().default(false),
  }),
  output: z.object({ tables: z.array(counts), digest: z.string() }),
};

const answer = ({ tables, digest }: Pick<RestoreReport, 'tables' | 'digest'>): z.input<typeof contract.output> => ({
  tables: tables.map((table) => counts.parse(table)),
  digest,
});

/** Compares the staged rows with the live ones; the report with its samples goes to the registry. Reads only. */
export const handler = step('CompareRestore', contract, async (input, world, signal) => {
  const { operation, tenantId, restoreId, reported } = input;
  const { leases, restores } = world.registry;
  await leases.hold({ tenantId, holder: operation, seconds: leaseSeconds });
  const restore = await restores.require({ id: restoreId, tenantId, operation });
  if (reported && restore.report) return answer(restore.report);
  const found = await inTenantDatabase(world, tenantId, signal, (client) =>
    compareRestore(client, { ...restore, drift: restore.plan.drift }, readScope),
  );
  await restores.noteCompared({
    id: restoreId,
    operation,
    report: {
      ...found,
      warnings: restore.plan.warnings,
      comparedAt: world.now().toISOString(),
      comparedAgain: false,
    },
  });
  return answer(found);
});
