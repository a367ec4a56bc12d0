import { Command } from 'commander';
import { call, query } from '../api.ts';
import { globals, run, wholeNumber } from '../options.ts';
import { instant, print, printRecord } from '../print.ts';

interface BackupRow {
  readonly id: string;
  readonly kind: string;
  readonly status: string;
  readonly takenAt: string | null;
  readonly rows: number | null;
  readonly bytes: number | null;
  readonly sameAs: string | null;
  /** Kubernetes objects of the tenant's own app; null where it has none. */
  readonly objectsState: 'expected' | 'archived' | 'missing' | null;
  readonly objectsCount: number | null;
  readonly objectsReason: string | null;
  readonly drilledAt: string | null;
  readonly drillOutcome: string | null;
  readonly heldAt: string | null;
  readonly heldBy: string | null;
  readonly holdReason: string | null;
  readonly reason: string | null;
}

interface ArchivedObject {
  readonly apiVersion: string;
  readonly kind: string;
  readonly name: string;
}

const kibibytes = (bytes: number | null): string => (bytes === null ? '-' : (bytes / 1024).toFixed(1));

/** `passed 2026-11-23`: day and result of the last drill of its archive. */
const drill = ({ drilledAt, drillOutcome }: BackupRow): string | null =>
  drillOutcome && drilledAt ? `${drillOutcome} ${drilledAt.slice(0, 10)}` : null;

const path = (id: string, verb: string): string => `/backups/${encodeURIComponent(id)}/${verb}`;

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
        { title: 'objects', value: (row) => row.objectsCount ?? row.objectsState, right: true },
        { title: 'same as', value: (row) => row.sameAs },
        { title: 'drill', value: drill },
        { title: 'hold', value: (row) => row.holdReason },
        { title: 'reason', value: (row) => row.reason ?? row.objectsReason },
      ]);
    });

  backup
    .command('show <backup>')
    .description('what is known of one archive')
    .option('--objects', 'kind and name of the Kubernetes objects in it')
    .action(async (id: string, options: { objects?: boolean }, command: Command) => {
      const { output } = globals(command);
      if (options.objects) {
        const page = await call<{ items: ArchivedObject[] }>('GET', path(id, 'objects'));
        return print(output, page, page.items, [
          { title: 'kind', value: (row) => row.kind },
          { title: 'name', value: (row) => row.name },
          { title: 'version', value: (row) => row.apiVersion },
        ]);
      }
      const row = await call<BackupRow & { tenantId: string }>('GET', `/backups/${encodeURIComponent(id)}`);
      printRecord(output, row, {
        backup: row.id,
        tenant: row.tenantId,
        taken: instant(row.takenAt),
        kind: row.kind,
        status: row.status,
        rows: row.rows,
        KiB: kibibytes(row.bytes),
        'same as': row.sameAs,
        objects: row.objectsCount ?? row.objectsState,
        drill: drill(row),
        hold: row.holdReason,
        reason: row.reason ?? row.objectsReason,
      });
    });

  backup
    .command('create <tenant>')
    .description('takes an archive now')
    .option('--reason <text>', 'kept in the audit')
    .action(async (tenant: string, options: { reason?: string }, command: Command) => {
      const path = `/tenants/${encodeURIComponent(tenant)}/backups`;
      await run(command, { method: 'POST', path, body: options });
    });

  backup
    .command('hold <backup>')
    .description('legal hold: nothing deletes the archive until it is released')
    .requiredOption('--reason <text>', 'why; kept on the record and in the audit')
    .action(async (id: string, options: { reason: string }, command: Command) => {
      const held = await call<BackupRow & { lockedObjects: number | null }>('POST', path(id, 'hold'), options);
      printRecord(globals(command).output, held, {
        backup: held.id,
        'held since': instant(held.heldAt),
        'held by': held.heldBy,
        reason: held.holdReason,
        'S3 legal hold':
          held.lockedObjects === null ? 'the bucket has no Object Lock' : `${held.lockedObjects} objects`,
      });
    });

  backup
    .command('release <backup>')
    .description('ends a legal hold; the archive goes when its plan no longer keeps it')
    .option('--reason <text>', 'kept in the audit')
    .action(async (id: string, options: { reason?: string }, command: Command) => {
      const released = await call<BackupRow>('POST', path(id, 'release'), options);
      printRecord(globals(command).output, released, { backup: released.id, 'legal hold': 'none' });
    });

  return backup;
};
