import { Command, Option } from 'commander';
import { wayBack } from '../../domain/restore-objects.ts';
import { call, query } from '../api.ts';
import { brokenLines, comparisonLines, planLines, type RestoreRecord } from '../comparison.ts';
import { confirm } from '../confirm.ts';
import { collect, collectList, globals, printEnd, run, start, wholeNumber } from '../options.ts';
import { faint, instant, print } from '../print.ts';
import type { Following } from '../progress.ts';
import { cloneBody, type RestoreOptions, restoreBody, usage } from '../restore-request.ts';
import { parseTime } from '../times.ts';

const path = (id: string): string => `/restores/${encodeURIComponent(id)}`;

/** By its own id or by that of an operation that worked on it. */
const read = (id: string): Promise<RestoreRecord> => call<RestoreRecord>('GET', path(id));

const planSteps: readonly string[] = ['PlanRestore', 'PlanClone'];

const showPlan: Following = {
  onStep: async ({ step, status }, { id }) => {
    if (!planSteps.includes(step) || status !== 'succeeded') return;
    for (const line of planLines(await read(id))) console.error(`        ${line}`);
  },
};

const show = (command: Command, restore: RestoreRecord): void => {
  if (globals(command).output === 'json') console.log(JSON.stringify(restore, null, 2));
  else for (const line of comparisonLines(restore)) console.log(line);
  for (const line of brokenLines(restore)) console.error(line);
};

const nextSteps = ({ id, tenantId, status, undoUntil, safetyBackupId }: RestoreRecord): string | undefined => {
  const of = safetyBackupId ? 'of the rows ' : '';
  if (status === 'swapped')
    return `undo ${of}until ${instant(undoUntil)}: npx tenantry restore undo ${id} --confirm ${tenantId}   drop the old rows: npx tenantry restore discard ${id}`;
  if (status === 'staged' || status === 'compared')
    return `put it in place: npx tenantry restore swap ${id} --confirm ${tenantId}   drop it: npx tenantry restore discard ${id}`;
  return undefined;
};

const printNextSteps = (restore: RestoreRecord): void => {
  const next = nextSteps(restore);
  if (next) console.error(next);
  const { tenantId, safetyBackupId } = restore;
  if (safetyBackupId) console.error(`objects as they were before: ${wayBack(tenantId, safetyBackupId)}`);
};

const runClone = async (tenantId: string, options: RestoreOptions, command: Command): Promise<void> => {
  const body = cloneBody(tenantId, options);
  const operation = await start(command, { method: 'POST', path: '/clones', body }, showPlan);
  if (!operation) return;
  if (operation.status !== 'succeeded') return printEnd(command, operation);
  const restore = await read(operation.id);
  const { url } = operation.outcome as { url?: string };
  if (globals(command).output === 'json') console.log(JSON.stringify(restore, null, 2));
  else console.log(`${restore.tenantId}  ${restore.result?.inserted ?? 0} rows of ${tenantId}  ${url ?? ''}`.trimEnd());
  console.error(`drop it: npx tenantry tenant delete ${restore.tenantId}`);
};

/**
 * Has an archive of that very moment made out of the log of the tenant's own server, and answers the options that restore it;
 * undefined when there is none.
 */
const recoverMoment = async (
  tenantId: string,
  options: RestoreOptions,
  command: Command,
): Promise<RestoreOptions | undefined> => {
  const { at, pointInTime: _, ...rest } = options;
  if (at === undefined) return usage('--point-in-time: say which, --at <time>');
  if (!globals(command).wait)
    return usage('--point-in-time and --no-wait: the restore begins when the moment is recovered');
  const body = { tenantId, asOf: parseTime(at, new Date()), ...(options.reason ? { reason: options.reason } : {}) };
  console.error(
    faint(
      `making an archive of ${instant(body.asOf)} from the log of the server of ${tenantId}; it takes 10 to 30 minutes on AWS`,
    ),
  );
  const operation = await start(command, { method: 'POST', path: '/recoveries', body });
  if (!operation) return undefined;
  if (operation.status !== 'succeeded') {
    printEnd(command, operation);
    return undefined;
  }
  const [sealed] = (operation.outcome as { sealed: { backupId: string }[] }).sealed;
  return sealed && { ...rest, backup: sealed.backupId };
};

const changed = ({ objects, withRows, table, rows }: RestoreOptions): string => {
  if (!objects) return 'live rows';
  return withRows || table || rows ? 'live rows and Kubernetes objects' : 'live Kubernetes objects';
};

const runRestore = async (tenantId: string, options: RestoreOptions, command: Command): Promise<void> => {
  const body = restoreBody(tenantId, options);
  if (options.pointInTime) {
    const recovered = await recoverMoment(tenantId, options, command);
    return recovered && runRestore(tenantId, recovered, command);
  }
  if (options.into === 'new-tenant') return runClone(tenantId, options, command);
  for (const [option, value] of Object.entries({ as: options.as, isolation: options.isolation, plan: options.plan }))
    if (value !== undefined) usage(`--${option} is of a new tenant; add --into new-tenant, or leave it out`);
  if (options.confirm !== undefined)
    await confirm({ given: options.confirm, tenantId, effect: `changes ${changed(options)} of ${tenantId}` });
  const operation = await start(command, { method: 'POST', path: '/restores', body }, showPlan);
  if (!operation) return;
  if (operation.status === 'failed') return printEnd(command, operation);
  const restore = await read(operation.id);
  show(command, restore);
  if (operation.status === 'succeeded') printNextSteps(restore);
};

const restoreStatuses =
  'planned staged compared awaiting-approval swapped restored previewed cloned undone discarded failed'.split(' ');

/** commander gives `--confirm` and `--reason` of a verb to `restore` itself, which has options of these names. */
const optionsOf = (command: Command): { confirm?: string; reason?: string; force?: boolean } =>
  command.optsWithGlobals();

const listCommand = new Command('list')
  .description('restores, newest first')
  .option('--tenant <tenant>', 'only of this tenant')
  .addOption(new Option('--status <status>', 'only these').choices(restoreStatuses))
  .option('--limit <count>', 'page size', wholeNumber(1, 500), 50)
  .action(async (options: { tenant?: string; status?: string; limit: number }, command: Command) => {
    const page = await call<{ items: RestoreRecord[] }>('GET', `/restores${query(options)}`);
    print(globals(command).output, page, page.items, [
      { title: 'restore', value: (row) => row.id },
      { title: 'tenant', value: (row) => row.tenantId },
      { title: 'status', value: (row) => row.status },
      { title: 'archive of', value: (row) => instant(row.takenAt) },
      { title: 'begun', value: (row) => instant(row.createdAt) },
      { title: 'tables', value: (row) => row.tables.length, right: true },
      { title: 'undo until', value: (row) => (row.status === 'swapped' ? instant(row.undoUntil) : null) },
      { title: 'reason', value: (row) => row.failure ?? row.reason },
    ]);
  });

const compareCommand = new Command('compare')
  .argument('<restore>', 'id of the restore or of its operation')
  .description('what differs between now and then, with samples')
  .action(async (id: string, _options: unknown, command: Command) => {
    const restore = await read(id);
    for (const line of [...planLines(restore), `status ${restore.status}`]) console.error(faint(line));
    show(command, restore);
    printNextSteps(restore);
  });

const swapCommand = new Command('swap')
  .argument('<restore>', 'id of the restore or of its operation')
  .description('puts a side-by-side copy in place of the live rows')
  .option('--confirm <tenant>', 'the name of the tenant: its live rows will change')
  .option('--reason <text>', 'kept in the audit')
  .action(async (id: string, _options: unknown, command: Command) => {
    const { confirm: given, reason } = optionsOf(command);
    const { id: restoreId, tenantId, tables } = await read(id);
    await confirm({
      given,
      tenantId,
      effect: `replaces live rows of ${tenantId} in ${tables.join(', ')}`,
    });
    const operation = await run(command, { method: 'POST', path: `${path(restoreId)}/swap`, body: { reason } });
    if (operation?.status === 'succeeded') printNextSteps(await read(restoreId));
  });

const undoCommand = new Command('undo')
  .argument('<restore>', 'id of the restore or of its operation')
  .description('brings back the rows that a restore replaced')
  .option('--confirm <tenant>', 'the name of the tenant: its live rows will change')
  .option('--force', 'also where users changed the restored rows since; their changes are lost')
  .option('--reason <text>', 'kept in the audit')
  .action(async (id: string, _options: unknown, command: Command) => {
    const { confirm: given, force, reason } = optionsOf(command);
    const { id: restoreId, tenantId, tables } = await read(id);
    await confirm({
      given,
      tenantId,
      effect: `puts rows of ${tenantId} in ${tables.join(', ')} back as they were before the restore${force ? ', over what was written since' : ''}`,
    });
    await run(command, { method: 'POST', path: `${path(restoreId)}/undo`, body: { force, reason } });
  });

const discardCommand = new Command('discard')
  .argument('<restore>', 'id of the restore or of its operation')
  .description('drops a copy that was loaded side by side')
  .option('--reason <text>', 'kept in the audit')
  .action(async (id: string, _options: unknown, command: Command) => {
    const { reason } = optionsOf(command);
    await run(command, { method: 'POST', path: `${path(id)}/discard`, body: { reason } });
  });

export const restoreCommand = (): Command => {
  const restore = new Command('restore')
    .description('brings back a tenant, some tables or some rows; side by side unless told otherwise')
    .argument('<tenant>')
    .option('--at <time>', 'the newest archive at or before: 2026-11-22T10:05:00Z, "yesterday 10:05" (UTC), "2h ago"')
    .option('--backup <id>', 'exactly this archive; without --at and --backup it is the newest')
    .option(
      '--point-in-time',
      'exactly --at, from the log of a server of its own (isolation server) instead of an archive',
    )
    .option('--table <name>', 'only this table; may be given again', collect)
    .option('--with-references', 'also the tables whose rows those of --table refer to; the plan names them')
    .option(
      '--rows <predicate>',
      'only these rows: "messages: sender_id = 7", "messages: key 17, 18", "reactions: key (3, 6, tada)"',
    )
    .option(
      '--objects',
      "the Kubernetes objects of the tenant's own app, in place after approval; rows stay as they are",
    )
    .option('--kind <kinds>', 'only objects of these kinds: Deployment,ConfigMap', collectList)
    .option('--name <names>', 'only objects of these names', collectList)
    .option('--with-rows', 'with --objects also the rows of the whole tenant; those of --table come in any case')
    .addOption(
      new Option(
        '--into <place>',
        'copy (unless told): side by side, live rows untouched; in-place: after approval; new-tenant: with --as',
      ).choices(['copy', 'in-place', 'new-tenant']),
    )
    .option('--as <tenant>', 'name of the new tenant')
    .addOption(
      new Option(
        '--isolation <isolation>',
        'where the rows of the new tenant live; what its plan gives unless told',
      ).choices(['pooled', 'database', 'server']),
    )
    .option('--plan <plan>', 'plan of the new tenant; that of the tenant itself unless told')
    .option('--dry-run', 'compare with the live rows and objects, then drop what was loaded')
    .option('--confirm <tenant>', 'approves an in-place restore beforehand: the name again')
    .option('--reason <text>', 'kept in the audit')
    .action(runRestore);
  for (const command of [listCommand, compareCommand, swapCommand, undoCommand, discardCommand])
    restore.addCommand(command);
  return restore;
};
