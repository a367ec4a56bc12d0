import * as z from 'zod';
import {
  type ExportedTenant,
  type ExportRequest,
  type ExportTenant,
  exportTenants,
} from '../../adapters/dump/export.ts';
import { ensureToc } from '../../adapters/dump/toc.ts';
import { templateDatabase } from '../../adapters/pool/template.ts';
import { type DatabasePlace, roleSecret } from '../../adapters/postgres/connection.ts';
import { sqlState } from '../../adapters/postgres/sql.ts';
import { keepLeases } from '../../adapters/registry/keep-leases.ts';
import { openNotes } from '../../adapters/registry/note-dumps.ts';
import type { World } from '../../adapters/world.ts';
import { isLookedAt } from '../../domain/backup.ts';
import { StepFailure } from '../../domain/errors.ts';
import { step } from '../step.ts';
import {
  backupsOf,
  type FailedBackups,
  failedBackups,
  holdSlice,
  leaseSeconds,
  shortReason,
  type sliceBackups,
  sliceFields,
  told,
} from './slice.ts';

const contract = {
  input: z.object({
    operation: z.string(),
    cell: z.string(),
    ...sliceFields,
    holder: z.string().optional(),
  }),
  output: z.object({
    failed: failedBackups,
    tenants: z.int().nonnegative(),
    rows: z.int().nonnegative(),
    bytes: z.int().nonnegative(),
    unchanged: z.int().nonnegative(),
  }),
};

type Input = z.output<typeof contract.input>;

/**
 * What is left to write: not what an earlier attempt dumped or sealed, and nothing whose lease is lost or whose record has
 * ended. Of a fleet, an archive that is pointed to is looked at once a month, of one tenant at each time.
 */
const stillToDo = async (
  world: World,
  { operation, holder = operation }: Input,
  backups: z.infer<typeof sliceBackups>,
): Promise<{ tenants: ExportTenant[]; failed: FailedBackups }> => {
  const { slices } = world.registry;
  const alone = backups.length === 1;
  const all = backups.map(({ tenantId }) => tenantId);
  const records = new Map((await slices.records(operation, all)).map((record) => [record.id, record]));
  const open = backups.filter(({ backupId }) => !['dumped', 'sealed'].includes(records.get(backupId)?.status ?? ''));
  const tenantIds = open.map(({ tenantId }) => tenantId);
  const busy = await holdSlice(world, { tenantIds, holder, alone });
  const previous = new Map((await slices.newestSealed(tenantIds)).map((one) => [one.tenantId, one]));
  const tenants: ExportTenant[] = [];
  const failed: FailedBackups = [];
  for (const { tenantId, backupId } of open) {
    const record = records.get(backupId);
    const lost =
      record?.tenantId !== tenantId
        ? `operation ${operation} opened no backup ${backupId} of tenant ${tenantId}`
        : record.status === 'failed'
          ? `it has failed already: ${record.reason}`
          : undefined;
    const reason = busy.get(tenantId) ?? lost;
    if (reason !== undefined) {
      failed.push({ tenantId, backupId, reason: shortReason(reason) });
      continue;
    }
    const last = previous.get(tenantId);
    const looked = alone || last?.manifestSha256 === null || isLookedAt(tenantId, world.now());
    const trusted = last && !looked ? { rows: last.rows, bytes: last.bytes } : undefined;
    tenants.push({
      tenantId,
      backupId,
      operation,
      kind: record?.kind ?? 'manual',
      previous: last && { ...last, ...(trusted ? { trusted } : {}) },
    });
  }
  return { tenants, failed };
};

const tocOf = (world: World, place: DatabasePlace, signal: AbortSignal) => async (fingerprint: string) => {
  const database = templateDatabase(fingerprint);
  const login = await world.secrets.credentials(roleSecret(place, 'backup'));
  return ensureToc(world.archive.objects, fingerprint, {
    host: place.host,
    port: place.port,
    database,
    login,
    signal,
    connect: async () => {
      try {
        return await world.databases.connect({ ...place, database }, 'backup');
      } catch (error) {
        // invalid_catalog_name: the pool drifted from its migrations and has no template.
        if (sqlState(error) === '3D000') return undefined;
        throw error;
      }
    },
  });
};

/** Failures of a fleet's slice go to the records: thousands of reasons do not fit into a state. */
const tellFailures = async (world: World, failed: FailedBackups, listed: boolean): Promise<FailedBackups> => {
  if (listed) return failed;
  await world.registry.slices.fail(failed);
  return failed.slice(0, told);
};

/**
 * Writes the archives of a slice under one snapshot and notes each as soon as it is complete. Safe to run twice and late: what
 * an attempt completed stays and is not done again, and a backup that has ended takes no note. Throws BackupIncomplete when
 * no tenant of the slice could be written.
 */
export const handler = step('DumpDatabase', contract, async (input, world, signal) => {
  const backups = await backupsOf(world, input);
  const { tenants, failed } = await stillToDo(world, input, backups);
  const written: ExportedTenant[] = [];
  if (tenants.length > 0) {
    const found = await world.registry.placements.database(input.cell);
    if (!found) throw new StepFailure('InvalidStepInput', `cell ${input.cell} does not exist; open the backup again`);
    const { place, isolation } = found;
    const note = openNotes(world.registry.slices);
    const holding = {
      tenantIds: tenants.map(({ tenantId }) => tenantId),
      holder: input.holder ?? input.operation,
      seconds: leaseSeconds,
    };
    const exporting: ExportRequest = {
      connect: () => world.databases.connect(place, 'backup'),
      archive: world.archive,
      tenants,
      isolation,
      toc: tocOf(world, place, signal),
      signal,
      written: async (exported) => {
        await note({ id: exported.backupId, ...exported });
        written.push(exported);
      },
    };
    const unwritten = await keepLeases(world.registry.leases, holding, () => exportTenants(exporting));
    failed.push(...unwritten.map((one) => ({ ...one, reason: shortReason(one.reason) })));
  }
  if (backups.length > 0 && failed.length === backups.length)
    throw new StepFailure('BackupIncomplete', `no archive was written: ${failed[0]?.tenantId}: ${failed[0]?.reason}`);
  const sum = (of: (exported: ExportedTenant) => number): number => written.reduce((total, one) => total + of(one), 0);
  return {
    failed: await tellFailures(world, failed, input.sliceKey === undefined),
    tenants: written.length,
    rows: sum(({ rows }) => rows),
    bytes: sum(({ bytes, sameAs }) => (sameAs === null ? bytes : 0)),
    unchanged: written.filter(({ sameAs }) => sameAs !== null).length,
  };
});
