import { Command, Option } from 'commander';
import { call, query } from '../api.ts';
import { CommandFailure, exitCodes } from '../exit-codes.ts';
import { globals, printEnd, start, wholeNumber } from '../options.ts';
import { green, instant, print, printTable, red, yellow } from '../print.ts';

interface DrillRow {
  readonly tenantId: string;
  readonly backupId: string;
  readonly outcome: 'passed' | 'failed' | 'refused';
  readonly reason: string | null;
  readonly drilledAt: string;
  readonly takenAt: string;
  readonly operation: string;
  readonly rows: number;
}

interface Asked {
  readonly all?: boolean;
  readonly sample?: number;
  readonly backup?: string;
}

const columns = [
  { title: 'tenant', value: (row: DrillRow) => row.tenantId },
  { title: 'backup', value: (row: DrillRow) => row.backupId },
  { title: 'taken', value: (row: DrillRow) => instant(row.takenAt) },
  { title: 'rows', value: (row: DrillRow) => row.rows, right: true as const },
  { title: 'drilled', value: (row: DrillRow) => instant(row.drilledAt) },
  { title: 'outcome', value: (row: DrillRow) => row.outcome },
  { title: 'reason', value: (row: DrillRow) => row.reason },
];

const read = (filter: Readonly<Record<string, string | number | undefined>>): Promise<{ items: DrillRow[] }> =>
  call('GET', `/drills${query(filter)}`);

const bodyOf = (tenantId: string | undefined, { all, sample, backup }: Asked): object => {
  const given = [tenantId ?? backup, all, sample].filter((one) => one !== undefined);
  if (given.length > 1)
    throw new CommandFailure(exitCodes.usage, 'give one of a tenant (or --backup), --all, --sample');
  return { tenantId, backupId: backup, all, sample };
};

const tell = (rows: readonly DrillRow[]): void => {
  const of = (outcome: DrillRow['outcome']): number => rows.filter((row) => row.outcome === outcome).length;
  console.error(green(`${of('passed')} of ${rows.length} archives were restored and are what their manifests say`));
  if (of('failed') > 0) console.error(red(`${of('failed')} cannot be restored`));
  if (of('refused') > 0) console.error(yellow(`${of('refused')} could not be tried`));
  const bad = rows.filter(({ outcome }) => outcome !== 'passed');
  if (bad.length > 0) printTable(bad, columns);
};

const runDrill = async (tenantId: string | undefined, asked: Asked, command: Command): Promise<void> => {
  const operation = await start(command, { method: 'POST', path: '/drills', body: bodyOf(tenantId, asked) });
  if (!operation) return;
  printEnd(command, operation);
  if (globals(command).output === 'json') return;
  // 500 is what the API lists at most; the operation counts them all.
  tell((await read({ limit: 500 })).items.filter((row) => row.operation === operation.id));
};

const listCommand = new Command('list')
  .description('what drills found, newest first')
  .option('--tenant <tenant>', 'only of this tenant')
  .addOption(new Option('--outcome <outcome>', 'only these').choices(['passed', 'failed', 'refused']))
  .option('--limit <count>', 'at most this many', wholeNumber(1, 500), 100)
  .action(async (options: { tenant?: string; outcome?: string; limit: number }, command: Command) => {
    const page = await read(options);
    print(globals(command).output, page, page.items, columns);
  });

export const drillCommand = (): Command =>
  new Command('drill')
    .description('restores archives into scratch databases for trial and compares them with their manifests')
    .argument('[tenant]', 'its newest archive; without tenant and options the longest undrilled ones, 20 of them')
    .option('--backup <backup>', 'exactly this archive')
    .option('--all', 'the newest archive of every tenant')
    .option('--sample <count>', 'so many of the longest undrilled archives', wholeNumber(1, 100_000))
    .action(runDrill)
    .addCommand(listCommand);
