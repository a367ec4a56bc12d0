import { Command } from 'commander';
import { call, query } from '../api.ts';
import { globals, run, wholeNumber } from '../options.ts';
import { instant, print } from '../print.ts';

interface BackupRow {
  readonly id: string;
  readonly kind: string;
  readonly status: string;
  readonly takenAt: string | null;
  readonly rows: number | null;
  readonly bytes: number | null;
  readonly sameAs: string | null;
  readonly reason: string | null;
}

const kibibytes = (bytes: number | null): string => (bytes === null ? '-' : (bytes / 1024).toFixed(1));

export const backupCommand = (): Command => {
  const backup = new Command('backup').description('archives of tenants');

  backup
    .command('list <tenant>')
    .description('the archives of a tenant, newest first')
    .option('--limit <count>', 'at most this many', wholeNumber(1, 500), 100)
    .action(async (tenant: string, options: { limit: number }, command: Command) => {
      const page = await call<{ items: BackupRow[] }>(
        'GET',
        `/tenants/${encodeURIComponent(tenant)}/backups${query(options)}`,
      );
      print(globals(command).output, page, page.items, [
        { title: 'backup', value: (row) => row.id },
        { title: 'taken', value: (row) => instant(row.takenAt) },
        { title: 'kind', value: (row) => row.kind },
        { title: 'status', value: (row) => row.status },
        { title: 'rows', value: (row) => row.rows, right: true },
        { title: 'KiB', value: (row) => kibibytes(row.bytes), right: true },
        { title: 'same as', value: (row) => row.sameAs },
        { title: 'reason', value: (row) => row.reason },
      ]);
    });

  backup
    .command('create <tenant>')
    .description('takes an archive now')
    .option('--reason <text>', 'kept in the audit')
    .action(async (tenant: string, options: { reason?: string }, command: Command) => {
      const path = `/tenants/${encodeURIComponent(tenant)}/backups`;
      await run(command, { method: 'POST', path, body: options });
    });

  return backup;
};
