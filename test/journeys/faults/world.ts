import { DescribeExecutionCommand } from '@aws-sdk/client-sfn';
import pg from 'pg';
import type { WorkflowName } from '../../../domain/workflows.ts';
import type { TestCloud } from '../../cloud.ts';
import { until } from '../../cloud.ts';
import { estateFindings } from '../../estate.ts';
import { archiveFindings, type BackupRow } from './archive-findings.ts';
import { type Stage, tenantTables } from './stage.ts';

/** What the world is looked at through; whoever started the cloud gives it. */
export interface Sight extends Pick<Stage, 'control' | 'pool' | 'keys'> {
  readonly laptop: Pick<TestCloud, 'states' | 'machineArn'>;
}

export interface Circumstances {
  /** Milliseconds for the last events. */
  readonly patience?: number;
  /** The cloud was killed: what it was about to announce it may announce twice, and nothing else. */
  readonly killed?: boolean;
}

interface OperationRow {
  id: string;
  kind: WorkflowName;
  status: string;
  reason: string | null;
  failed_step: string | null;
  input: { action?: string; dryRun?: boolean };
}

/** What an operation says on the bus when it is over; a discarded restore changes no tenant and says nothing. */
const resultType = ({ kind, status, input }: OperationRow): string | undefined => {
  const failed = status === 'failed';
  switch (kind) {
    case 'provision-tenant':
      return failed ? 'TenantProvisioningFailed' : 'TenantProvisioned';
    case 'back-up-tenant':
      return failed ? 'TenantBackupFailed' : 'TenantBackedUp';
    case 'restore-tenant':
      if (failed) return 'TenantRestoreFailed';
      if (input.action === 'discard') return undefined;
      return input.action === 'undo' ? 'TenantRestoreUndone' : 'TenantRestored';
    case 'clone-tenant':
      return failed ? 'TenantCloneFailed' : 'TenantCloned';
    case 'recover-point-in-time':
      return failed ? 'TenantRecoveryFailed' : 'TenantPointInTimeRecovered';
    case 'deprovision-tenant':
      return failed ? 'TenantDeprovisioningFailed' : 'TenantDeprovisioned';
    case 'migrate-tenant':
      if (failed) return 'TenantMigrationFailed';
      if (input.dryRun || input.action === 'abandon') return undefined;
      return { back: 'TenantMovedBack', finish: 'TenantMoveFinished' }[input.action ?? ''] ?? 'TenantMigrated';
    case 'change-plan':
      return failed ? 'TenantPlanChangeFailed' : 'TenantPlanChangeCompleted';
    case 'back-up-fleet':
      return 'FleetBackedUp';
    case 'drill-restores':
      return 'RestoresDrilled';
    case 'expire-backups':
      return 'BackupsExpired';
    default:
      return 'none: no machine of this kind has an operation';
  }
};

/** Operation, execution and events agree: each operation is over, says why, and said so exactly once. */
const operationFindings = async (
  stage: Sight,
  operation: OperationRow,
  { patience, killed }: Required<Circumstances>,
): Promise<string[]> => {
  const { id, kind, status, reason, failed_step } = operation;
  const findings: string[] = [];
  if (status !== 'succeeded' && status !== 'failed') findings.push(`operation ${id} is ${status}`);
  if (status === 'failed' && (!reason || !failed_step))
    findings.push(`operation ${id} failed without a reason or a step: ${reason} ${failed_step}`);
  const executionArn = `${stage.laptop.machineArn(kind).replace(':stateMachine:', ':execution:')}:${id}`;
  const execution = await stage.laptop.states.send(new DescribeExecutionCommand({ executionArn }));
  const fitting = { succeeded: 'SUCCEEDED', failed: 'FAILED' }[status];
  if (execution.status !== fitting) findings.push(`operation ${id} ${status}, its execution ${execution.status}`);
  const type = resultType(operation);
  const events = async (): Promise<string[]> => {
    const { rows } = await stage.control.query<{ detail_type: string }>(
      "SELECT detail_type FROM events WHERE source = 'tenantry' AND detail ->> 'operation' = $1 ORDER BY sequence",
      [id],
    );
    return rows.map(({ detail_type }) => detail_type);
  };
  if (type)
    await until(`result of ${id}`, async () => ((await events()).length > 0 ? true : undefined), patience).catch(
      () => undefined,
    );
  const told = await events();
  const said = killed ? [...new Set(told)] : told;
  if (said.join() !== (type ?? '')) findings.push(`operation ${id} ${status} said "${said}", not "${type ?? ''}"`);
  const { rows: open } = await stage.control.query<{ step: string }>(
    "SELECT step FROM steps WHERE operation_id = $1 AND status = 'running'",
    [id],
  );
  for (const { step } of open) findings.push(`step ${step} of the ended operation ${id} still runs in the journal`);
  return findings;
};

/** Rows of the tenant in the pool, by table; read past row-level security. */
const rowsOf = async (stage: Sight, tenantId: string): Promise<string[]> => {
  const found: string[] = [];
  for (const table of await tenantTables(stage.pool)) {
    const { rows } = await stage.pool.query<{ n: number }>(
      `SELECT count(*)::int AS n FROM ${pg.escapeIdentifier(table)} WHERE tenant_id = $1`,
      [tenantId],
    );
    if (rows[0]!.n > 0) found.push(`${table} ${rows[0]!.n}`);
  }
  return found;
};

const placeFindings = async (stage: Sight, tenantId: string): Promise<string[]> => {
  const findings: string[] = [];
  const { rows: known } = await stage.control.query<{ status: string; isolation: string | null; routes: string }>(
    `SELECT status, (SELECT p.isolation FROM placements p WHERE p.tenant_id = t.id AND p.active) AS isolation,
       (SELECT coalesce(string_agg(DISTINCT CASE WHEN r.kind = 'custom' AND d.proved_at IS NULL
            THEN CASE r.state WHEN 'on' THEN 'on without proof' END ELSE r.state END, ','), '')
          FROM routes r LEFT JOIN domains d ON d.tenant_id = r.tenant_id AND d.domain = r.host WHERE r.tenant_id = t.id) AS routes
     FROM tenants t WHERE id = $1`,
    [tenantId],
  );
  const { rows: pooled } = await stage.pool.query<{ state: string }>(
    'SELECT state FROM tenantry.tenants WHERE tenant_id = $1',
    [tenantId],
  );
  const rows = await rowsOf(stage, tenantId);
  const seen = {
    status: known[0]?.status ?? 'none',
    routes: known[0]?.routes ?? '',
    state: pooled[0]?.state ?? 'none',
  };
  const active = seen.status === 'active';
  if (active !== (seen.routes === 'on'))
    findings.push(`tenant ${tenantId} is ${seen.status}, its routes "${seen.routes}"`);
  // A tenant in a database of its own is looked at there by whoever put it there; a row of it in the pool is a leftover,
  // unless a move keeps it as its way back.
  const elsewhere = (known[0]?.isolation ?? 'pooled') !== 'pooled';
  if (elsewhere && active)
    return seen.state === 'open' ? [...findings, `tenant ${tenantId} is open in the pool too`] : findings;
  // A failed tenant keeps its slug, so that what is left of it meets nobody else.
  if (seen.status !== 'failed' && active !== (seen.state === 'open'))
    findings.push(`tenant ${tenantId} is ${seen.status}, in its pool ${seen.state}`);
  if (active && rows.length === 0) findings.push(`tenant ${tenantId} is active without a row`);
  if (active && !known[0]!.isolation) findings.push(`tenant ${tenantId} is active without a place`);
  if (!active && seen.status !== 'failed' && rows.length > 0)
    findings.push(`tenant ${tenantId} is ${seen.status} and has rows: ${rows}`);
  if (['provisioning', 'deprovisioning'].includes(seen.status))
    findings.push(`tenant ${tenantId} is ${seen.status} for ever`);
  return findings;
};

/** Staging and undo schemas in the pool, against the restores that may have them. `tenantId` undefined: of all tenants. */
const schemaFindings = async (stage: Sight, tenantId?: string): Promise<string[]> => {
  const { rows: restores } = await stage.control.query<
    Record<'tenant_id' | 'staging_schema' | 'undo_schema' | 'status', string>
  >('SELECT tenant_id, staging_schema, undo_schema, status FROM restores');
  const entitled = new Map<string, { may: boolean; why: string; tenant: string }>();
  for (const { tenant_id: tenant, staging_schema, undo_schema, status } of restores) {
    entitled.set(staging_schema, { may: ['staged', 'compared'].includes(status), why: status, tenant });
    entitled.set(undo_schema, { may: status === 'swapped', why: status, tenant });
  }
  const { rows: schemas } = await stage.pool.query<{ name: string }>(
    `SELECT nspname AS name FROM pg_namespace WHERE nspname ~ '^tn_(stage|undo)_'`,
  );
  const there = new Set(schemas.map(({ name }) => name));
  const orphans = [...there]
    .map((name) => ({ name, ...(entitled.get(name) ?? { may: false, why: 'unknown', tenant: undefined }) }))
    .filter(({ may, tenant }) => !may && (tenantId === undefined || tenant === tenantId))
    .map(({ name, why }) => `schema ${name} is there, its restore is ${why}`);
  const missing = restores
    .filter(({ tenant_id, status }) => status === 'swapped' && (tenantId === undefined || tenant_id === tenantId))
    .filter(({ undo_schema }) => !there.has(undo_schema))
    .map(({ undo_schema }) => `schema ${undo_schema} of a swapped restore is gone: it cannot be undone`);
  return [...orphans, ...missing];
};

const backupFindings = async (stage: Sight, tenantId: string): Promise<readonly string[]> => {
  const { rows } = await stage.control.query<BackupRow>(
    'SELECT id, status, archive_id, objects_state FROM backups WHERE tenant_id = $1',
    [tenantId],
  );
  return archiveFindings(tenantId, rows, await stage.keys(`t/${tenantId}/`));
};

const leaseFindings = async (stage: Sight, tenantId: string): Promise<string[]> => {
  const { rows } = await stage.control.query<{ holder: string }>(
    'SELECT holder FROM leases WHERE tenant_id = $1 AND holder IS NOT NULL',
    [tenantId],
  );
  return rows.map(({ holder }) => `tenant ${tenantId} is still held by ${holder}`);
};

/**
 * What does not fit together in the world of one tenant, looked up where it is and not in the answers of the product:
 * executions, registry, pool, bucket, bus. Empty when all of it tells one story.
 */
export const worldFindings = async (
  stage: Sight,
  tenantId: string,
  operation: string,
  { patience = 40_000, killed = false }: Circumstances = {},
): Promise<string[]> => {
  const ask = async (): Promise<OperationRow[]> => {
    const text = 'SELECT id, kind, status, reason, failed_step, input FROM operations WHERE tenant_id = $1 OR id = $2';
    return (await stage.control.query<OperationRow>(text, [tenantId, operation])).rows;
  };
  // An execution that ended before a step could end its operation is answered by an event, a moment later.
  const over = async (): Promise<OperationRow[] | undefined> => {
    const rows = await ask();
    const ended = rows.filter(({ status }) => status === 'succeeded' || status === 'failed');
    return ended.some(({ id }) => id === operation) && ended.length === rows.length ? rows : undefined;
  };
  const operations = await until(`the end of ${operation}`, over, patience).catch(ask);
  if (!operations.some(({ id }) => id === operation)) return [`operation ${operation} is not in the registry`];
  const findings: string[] = [];
  for (const one of operations) findings.push(...(await operationFindings(stage, one, { patience, killed })));
  for (const look of [leaseFindings, placeFindings, schemaFindings, backupFindings])
    findings.push(...(await look(stage, tenantId)));
  return findings;
};

/** The same for what no tenant stands for any more: what is left over when all cells are done. */
export const leftoverFindings = async (stage: Sight & Pick<Stage, 'estate'>): Promise<string[]> => {
  const { rows: tenants } = await stage.control.query<{ id: string }>('SELECT id FROM tenants');
  const { rows: pooled } = await stage.pool.query<{ id: string }>('SELECT tenant_id AS id FROM tenantry.tenants');
  const { rows: held } = await stage.control.query<{ tenant_id: string; holder: string }>(
    'SELECT tenant_id, holder FROM leases WHERE holder IS NOT NULL',
  );
  const { rows: twice } = await stage.control.query<{ operation: string; n: number }>(
    `SELECT detail ->> 'operation' AS operation, count(*)::int AS n FROM events WHERE source = 'tenantry' GROUP BY 1 HAVING count(*) > 1`,
  );
  const { rows: scratch } = await stage.control.query<{ name: string }>(
    "SELECT datname AS name FROM pg_database WHERE starts_with(datname, 'tn_drill_')",
  );
  const known = new Set(tenants.map(({ id }) => id));
  return [
    ...scratch.map(({ name }) => `scratch database ${name} was not dropped`),
    ...pooled.filter(({ id }) => !known.has(id)).map(({ id }) => `tenant ${id} of the pool is in no registry`),
    ...held.map(({ tenant_id, holder }) => `tenant ${tenant_id} is still held by ${holder}`),
    ...twice.map(({ operation, n }) => `operation ${operation} said ${n} results`),
    ...(await schemaFindings(stage)),
    ...(await estateFindings(stage.estate, stage.control)),
  ];
};
