import { Command, Option } from 'commander';
import { call } from '../api.ts';
import { CommandFailure, exitCodes } from '../exit-codes.ts';
import { collect, globals, start } from '../options.ts';
import { instant, printRecord, printTable } from '../print.ts';

interface TableDifference {
  readonly table: string;
  readonly onlyNow: number;
  readonly onlyThen: number;
  readonly changed: number;
  readonly same: number;
  readonly samples?: readonly { kind: string; key: Record<string, unknown>; now?: unknown; then?: unknown }[];
}

export interface RestoreRecord {
  readonly id: string;
  readonly tenantId: string;
  readonly backupId: string;
  readonly takenAt: string | null;
  readonly status: string;
  readonly into: string;
  readonly undoUntil: string | null;
  readonly report: { readonly tables: readonly TableDifference[]; readonly warnings?: readonly string[] } | null;
}

interface RestoreOptions {
  readonly at?: string;
  readonly backup?: string;
  readonly table?: string[];
  readonly rows?: string;
  readonly into: 'copy' | 'in-place';
  readonly dryRun?: boolean;
  readonly confirm?: string;
  readonly reason?: string;
}

const parseTime = (text: string): string => {
  const relative = /^(\d+)\s*(s|m|h|d)\s*ago$/.exec(text);
  if (relative) {
    const unit = { s: 1000, m: 60_000, h: 3_600_000, d: 86_400_000 }[relative[2] as 's' | 'm' | 'h' | 'd'];
    return new Date(Date.now() - Number(relative[1]) * unit).toISOString();
  }
  const zoned = /(?:Z|[+-]\d\d:?\d\d)$/.test(text) ? text : `${text.replace(' ', 'T')}Z`;
  const time = new Date(zoned.replace(' ', 'T'));
  if (Number.isNaN(time.getTime()))
    throw new CommandFailure(
      exitCodes.usage,
      `--at "${text}" is not a time; use 2026-11-22T10:05:00Z, "2026-11-22 10:05" (taken as UTC) or "2h ago"`,
    );
  return time.toISOString();
};

/** `messages: sent_at >= 2026-01-01` or `messages: key 17, 18` -> the rows member of the restore's input. */
const parseRows = (text: string): { table: string; where?: string; keys?: (string | number)[] } => {
  const [, table, rest] = /^\s*([\w."]+)\s*:\s*(.+)$/s.exec(text) ?? [];
  if (!table || !rest)
    throw new CommandFailure(
      exitCodes.usage,
      `--rows "${text}" names no table; use --rows "messages: sender_id = 7 and sent_at >= 2026-11-01" or --rows "messages: key 17, 18"`,
    );
  const keys = /^keys?\s+(.+)$/s.exec(rest.trim())?.[1];
  if (!keys) return { table, where: rest.trim() };
  return { table, keys: keys.split(',').map((key) => (/^-?\d+$/.test(key.trim()) ? Number(key) : key.trim())) };
};

export const printComparison = (restore: RestoreRecord): void => {
  console.error(
    `${restore.id}  ${restore.tenantId}  archive ${restore.backupId} of ${instant(restore.takenAt)}  ${restore.status}`,
  );
  for (const warning of restore.report?.warnings ?? []) console.error(`  note: ${warning}`);
  printTable(restore.report?.tables ?? [], [
    { title: 'table', value: (row) => row.table },
    { title: 'only now', value: (row) => row.onlyNow, right: true },
    { title: 'only then', value: (row) => row.onlyThen, right: true },
    { title: 'changed', value: (row) => row.changed, right: true },
    { title: 'same', value: (row) => row.same, right: true },
  ]);
  for (const table of restore.report?.tables ?? [])
    for (const sample of (table.samples ?? []).slice(0, 5))
      console.log(
        `  ${table.table}  ${sample.kind}  ${JSON.stringify(sample.key)}${sample.then ? `  then ${JSON.stringify(sample.then)}` : ''}${sample.now ? `  now ${JSON.stringify(sample.now)}` : ''}`.slice(
          0,
          240,
        ),
      );
};

/** Shows a restore, asked for by its id or by the operation that made it. */
const show = async (command: Command, id: string): Promise<RestoreRecord> => {
  const restore = await call<RestoreRecord>('GET', `/restores/${encodeURIComponent(id)}`);
  if (globals(command).output === 'json') printRecord('json', restore as unknown as Record<string, unknown>);
  else printComparison(restore);
  return restore;
};

const nextSteps = (id: string, tenantId: string, into: string): string =>
  into === 'in-place'
    ? `undo: npx tenantry restore undo ${id}`
    : `put it in place: npx tenantry restore swap ${id} --confirm ${tenantId}   drop it: npx tenantry restore discard ${id}`;

const runRestore = async (tenantId: string, options: RestoreOptions, command: Command): Promise<void> => {
  if (options.confirm !== undefined && options.confirm !== tenantId)
    throw new CommandFailure(
      exitCodes.refused,
      `--confirm is "${options.confirm}", the tenant is "${tenantId}": give the same name, nothing was changed`,
    );
  const operation = await start(command, 'POST', '/restores', {
    tenantId,
    into: options.into,
    ...(options.at ? { asOf: parseTime(options.at) } : {}),
    ...(options.backup ? { backupId: options.backup } : {}),
    ...(options.table ? { tables: options.table } : {}),
    ...(options.rows ? { rows: parseRows(options.rows) } : {}),
    ...(options.dryRun ? { dryRun: true } : {}),
    ...(options.reason ? { reason: options.reason } : {}),
    approval: options.confirm === tenantId ? 'given' : 'required',
  });
  if (!operation || operation.status === 'failed') return;
  const { id } = await show(command, operation.id);
  if (operation.status === 'succeeded' && !options.dryRun) console.error(nextSteps(id, tenantId, options.into));
};

export const restoreCommand = (): Command => {
  const restore = new Command('restore')
    .description('brings back a tenant, some tables or some rows; side by side unless told otherwise')
    .argument('<tenant>')
    .option('--at <time>', 'the newest archive at or before this time: 2026-11-22T10:05:00Z, "2h ago"')
    .option('--backup <id>', 'exactly this archive')
    .option('--table <name>', 'only this table; may be given again', collect)
    .option('--rows <predicate>', 'only these rows: "messages: sender_id = 7" or "messages: key 17, 18"')
    .addOption(
      new Option('--into <place>', 'copy: side by side, live rows untouched; in-place: after approval')
        .choices(['copy', 'in-place'])
        .default('copy'),
    )
    .option('--dry-run', 'compare with the live rows, then drop what was loaded')
    .option('--confirm <tenant>', 'approves an in-place restore beforehand: the name again')
    .option('--reason <text>', 'kept in the audit')
    .action(runRestore);

  restore
    .command('compare <restore>')
    .description('what differs between now and then, with samples')
    .action(async (id: string, _options: unknown, command: Command) => {
      await show(command, id);
    });

  restore
    .command('swap <restore>')
    .description('puts a side-by-side copy in place of the live rows')
    .requiredOption('--confirm <tenant>', 'the tenant: its live rows will change')
    .option('--reason <text>', 'kept in the audit')
    .action(async (id: string, options: { confirm: string; reason?: string }, command: Command) => {
      const operation = await start(command, 'POST', `/restores/${encodeURIComponent(id)}/swap`, options);
      if (operation?.status === 'succeeded') console.error(nextSteps(id, options.confirm, 'in-place'));
    });

  restore
    .command('undo <restore>')
    .description('brings back the rows that a restore replaced')
    .option('--force', 'also where users changed the restored rows since')
    .option('--reason <text>', 'kept in the audit')
    .action(async (id: string, options: { force?: boolean; reason?: string }, command: Command) => {
      await start(command, 'POST', `/restores/${encodeURIComponent(id)}/undo`, options);
    });

  restore
    .command('discard <restore>')
    .description('drops a copy, or the rows kept for undo')
    .option('--reason <text>', 'kept in the audit')
    .action(async (id: string, options: { reason?: string }, command: Command) => {
      await start(command, 'POST', `/restores/${encodeURIComponent(id)}/discard`, options);
    });

  return restore;
};
