import { CommandFailure, exitCodes } from './exit-codes.ts';
import { parseRows } from './rows.ts';
import { parseTime } from './times.ts';

/** Options of `restore` as they were typed. */
export interface RestoreOptions {
  readonly at?: string;
  readonly backup?: string;
  readonly pointInTime?: boolean;
  readonly table?: string[];
  readonly withReferences?: boolean;
  readonly rows?: string;
  readonly objects?: boolean;
  readonly kind?: string[];
  readonly name?: string[];
  readonly withRows?: boolean;
  readonly into?: 'copy' | 'in-place' | 'new-tenant';
  readonly as?: string;
  readonly isolation?: string;
  readonly plan?: string;
  readonly dryRun?: boolean;
  readonly confirm?: string;
  readonly reason?: string;
}

/** Ends the command as wrongly used. */
export const usage = (message: string): never => {
  throw new CommandFailure(exitCodes.usage, message);
};

/** What of a request is about Kubernetes objects. */
const objectsOf = ({ objects, kind, name, withRows, into, dryRun, pointInTime }: RestoreOptions): object => {
  const stray = Object.entries({ kind, name, 'with-rows': withRows }).find(([, value]) => value !== undefined);
  if (!objects && stray) return usage(`--${stray[0]} is of Kubernetes objects; add --objects, or leave it out`);
  if (!objects) return {};
  if (into === 'new-tenant')
    return usage('--objects and --into new-tenant: a new tenant gets objects of its own; leave --objects out');
  if (into === 'copy' && !dryRun)
    return usage('--objects and --into copy: objects cannot lie beside the live ones; --dry-run shows the differences');
  if (pointInTime)
    return usage('--objects and --point-in-time: a log has rows alone; name an archive by --at or --backup');
  return {
    objects: { ...(kind ? { kinds: kind } : {}), ...(name ? { names: name } : {}), ...(withRows ? { withRows } : {}) },
  };
};

/** Body of POST /restores. Throws CommandFailure (usage) for options that contradict each other. */
export const restoreBody = (tenantId: string, options: RestoreOptions): Record<string, unknown> => {
  const given: Readonly<Record<string, unknown>> = { ...options, 'with-references': options.withReferences };
  const contradiction = (
    [
      ['at', 'backup', 'both name an archive'],
      ['table', 'rows', '--rows names its own table'],
      ['with-references', 'rows', 'rows are restored alone'],
    ] as const
  ).find(([one, other]) => given[one] !== undefined && given[other] !== undefined);
  if (contradiction)
    throw new CommandFailure(
      exitCodes.usage,
      `--${contradiction[0]} and --${contradiction[1]}: ${contradiction[2]}; give one of them`,
    );
  return {
    tenantId,
    into: options.into ?? (options.objects ? 'in-place' : 'copy'),
    ...objectsOf(options),
    ...(options.at === undefined ? {} : { asOf: parseTime(options.at, new Date()) }),
    ...(options.backup === undefined ? {} : { backupId: options.backup }),
    ...(options.table ? { tables: options.table } : {}),
    ...(options.withReferences ? { withReferences: true } : {}),
    ...(options.rows === undefined ? {} : { rows: parseRows(options.rows) }),
    ...(options.dryRun ? { dryRun: true } : {}),
    ...(options.reason ? { reason: options.reason } : {}),
    approval: options.confirm === tenantId ? 'given' : 'required',
  };
};

/** Body of POST /clones; throws as `restoreBody` does. */
export const cloneBody = (tenantId: string, options: RestoreOptions): Record<string, unknown> => {
  const { as, isolation, plan, rows, dryRun, confirm: given } = options;
  if (as === undefined) return usage('--into new-tenant: give the name of the new tenant, --as <tenant>');
  if (rows !== undefined) return usage('--rows and --into new-tenant: a tenant is made of tables; leave --rows out');
  if (dryRun) return usage('--dry-run and --into new-tenant: a new tenant changes nobody; leave --dry-run out');
  if (given !== undefined) return usage('--confirm and --into new-tenant: no live row changes; leave --confirm out');
  const { into: _, approval: __, ...read } = restoreBody(tenantId, options);
  return { ...read, newTenantId: as, ...(isolation ? { isolation } : {}), ...(plan ? { plan } : {}) };
};
