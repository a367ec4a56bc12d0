import { Command, Option } from 'commander';
import { call, query } from '../api.ts';
import { confirm } from '../confirm.ts';
import { connectedCloud, localUrl } from '../connection.ts';
import { globals, run, wholeNumber } from '../options.ts';
import { instant, print, printRecord } from '../print.ts';
import { parseDuration } from '../times.ts';
import { type DomainRecord, domainText } from './domain.ts';
import { addPlacementOptions } from './place.ts';

interface TenantRow {
  readonly id: string;
  readonly name: string | null;
  readonly status: string;
  readonly plan: string;
  readonly tier: string | null;
  readonly isolation: string | null;
  readonly cell?: string | null;
  readonly createdAt: string;
}

interface TenantRecord extends TenantRow {
  readonly adminEmail: string | null;
  readonly customDomain: string | null;
  readonly users: number | null;
  readonly compliance: readonly string[];
  readonly residency: string | null;
  readonly reservedUntil: string | null;
  readonly changedBy: string | null;
  readonly url: string;
  readonly domain: DomainRecord | null;
  readonly placement: {
    readonly cell: string;
    readonly region: string;
    readonly database: string;
    readonly cluster: string | null;
    readonly namespace: string | null;
  } | null;
  readonly busyWith: string | null;
  readonly lastBackup: {
    readonly id: string;
    readonly takenAt: string;
    readonly kind: string;
    readonly rows: number;
  } | null;
}

interface PlanStateRow {
  readonly plan: string;
  readonly tier: string;
  readonly isolation: string;
}

interface PlanChangeRow {
  readonly operationId: string;
  readonly status: string;
  readonly wish: { readonly plan: string };
  readonly previous: PlanStateRow | null;
  readonly decision: (PlanStateRow & { readonly rule: string }) | null;
  readonly supersededBy: string | null;
  readonly createdAt: string;
}

interface ChangeOptions {
  readonly customDomain?: string | false;
  readonly window?: string;
}

const stateText = ({ plan, tier, isolation }: PlanStateRow): string => `${plan}, ${tier}, ${isolation}`;

/** As the API answers it, with the URL at which this laptop serves it. */
const read = async (id: string): Promise<TenantRecord> => {
  const tenant = await call<TenantRecord>('GET', `/tenants/${encodeURIComponent(id)}`);
  return { ...tenant, url: localUrl(tenant.url, connectedCloud().port) };
};

const describe = (tenant: TenantRecord): Record<string, string | number | null> => {
  const { id, status, placement, lastBackup, reservedUntil } = tenant;
  return {
    tenant: tenant.name ? `${id} (${tenant.name})` : id,
    status: reservedUntil ? `${status}, its name is free again at ${instant(reservedUntil)}` : status,
    plan: `${tenant.plan}, ${tenant.tier} tier, ${tenant.isolation}`,
    url: status === 'active' ? tenant.url : null,
    'custom domain': tenant.domain ? domainText(tenant.domain) : tenant.customDomain,
    users: tenant.users,
    compliance: tenant.compliance.join(', '),
    residency: tenant.residency,
    admin: tenant.adminEmail,
    placement: placement && `cell ${placement.cell} (${placement.region}), database ${placement.database}`,
    app: placement?.cluster ? `namespace ${placement.namespace} of cluster ${placement.cluster}` : 'shared',
    'last backup': lastBackup
      ? `${lastBackup.id} of ${instant(lastBackup.takenAt)}, ${lastBackup.kind}, ${lastBackup.rows} rows`
      : status === 'active'
        ? `none yet: npx tenantry backup create ${id}`
        : null,
    'busy with': tenant.busyWith,
    created: instant(tenant.createdAt),
    'changed by': tenant.changedBy,
  };
};

export const tenantCommand = (): Command => {
  const tenant = new Command('tenant').description('the customers');

  tenant
    .command('list')
    .description('all tenants')
    .addOption(
      new Option('--status <status>', 'only these').choices(
        'provisioning active suspended deprovisioning deprovisioned failed'.split(' '),
      ),
    )
    .option('--limit <count>', 'page size', wholeNumber(1, 500), 100)
    .option('--after <tenant>', 'start behind this tenant')
    .action(async (options: { status?: string; limit: number; after?: string }, command: Command) => {
      const page = await call<{ items: TenantRow[]; next?: string }>('GET', `/tenants${query(options)}`);
      print(globals(command).output, page, page.items, [
        { title: 'tenant', value: (row) => row.id },
        { title: 'status', value: (row) => row.status },
        { title: 'plan', value: (row) => row.plan },
        { title: 'tier', value: (row) => row.tier },
        { title: 'isolation', value: (row) => row.isolation },
        { title: 'created', value: (row) => instant(row.createdAt) },
      ]);
      if (page.next) console.error(`more: npx tenantry tenant list --after ${page.next}`);
    });

  tenant
    .command('get <tenant>')
    .description('one tenant: placement, route, last backup')
    .action(async (id: string, _options: unknown, command: Command) => {
      const tenant = await read(id);
      printRecord(globals(command).output, tenant, describe(tenant));
    });

  addPlacementOptions(tenant.command('create <tenant>'))
    .description('signs a tenant up, as the signup event does')
    .addOption(
      new Option('--plan <plan>', 'what it bought').choices(['starter', 'pro', 'enterprise']).default('starter'),
    )
    .option('--name <name>', 'name of the organisation')
    .option('--admin-email <email>', 'its first user')
    .option('--admin-name <name>', 'the name of its first user')
    .option('--custom-domain <domain>', 'a domain of its own')
    .option('--region <region>', 'preferred region')
    .option('--residency <region>', 'region that its data must not leave')
    .action(async (tenantId: string, options: Record<string, unknown>, command: Command) => {
      const operation = await run(command, { method: 'POST', path: '/tenants', body: { tenantId, ...options } });
      if (operation?.status !== 'succeeded') return;
      const { url, domain } = await read(tenantId);
      console.error(`${tenantId} is at ${url}`);
      if (domain) console.error(domainText(domain));
    });

  addPlacementOptions(tenant.command('change-plan <tenant>'))
    .description('gives a tenant another plan, and moves it where that plan wants it')
    .requiredOption('--plan <plan>', 'what it has bought')
    .option('--custom-domain <domain>', 'a domain of its own')
    .option('--no-custom-domain', 'takes its domain away')
    .option('--window <duration>', 'how long a move can be taken back, such as 30m, 12h or 7d; 24h unless told')
    .action(async (id: string, { window, ...options }: ChangeOptions, command: Command) => {
      const body = {
        ...options,
        // Commander's word for --no-custom-domain.
        customDomain: options.customDomain === false ? null : options.customDomain,
        ...(window === undefined ? {} : { windowSeconds: parseDuration('--window', window) }),
      };
      const operation = await run(command, { method: 'POST', path: `/tenants/${encodeURIComponent(id)}/plan`, body });
      if (operation?.status !== 'succeeded') return;
      const { outcome, supersededBy } = operation.outcome as { outcome: string; supersededBy?: string };
      const tenant = await read(id);
      console.error(
        outcome === 'superseded'
          ? `nothing changed: ${supersededBy} took its place`
          : `${id} has plan ${tenant.plan}, ${tenant.tier} tier, ${tenant.isolation}`,
      );
      if (options.customDomain && tenant.domain) console.error(domainText(tenant.domain));
    });

  tenant
    .command('plan-changes <tenant>')
    .description('changes of its plan, newest first')
    .option('--limit <count>', 'page size', wholeNumber(1, 500), 50)
    .action(async (id: string, options: { limit: number }, command: Command) => {
      const path = `/tenants/${encodeURIComponent(id)}/plan-changes${query({ limit: options.limit })}`;
      const page = await call<{ items: PlanChangeRow[] }>('GET', path);
      print(globals(command).output, page, page.items, [
        { title: 'operation', value: (row) => row.operationId },
        { title: 'status', value: (row) => row.status },
        { title: 'from', value: ({ previous }) => previous && stateText(previous) },
        { title: 'to', value: ({ decision, wish }) => (decision ? stateText(decision) : wish.plan) },
        { title: 'rule', value: ({ decision, supersededBy }) => decision?.rule ?? supersededBy },
        { title: 'asked', value: (row) => instant(row.createdAt) },
      ]);
    });

  tenant
    .command('delete <tenant>')
    .description('takes a tenant off: final archive, grace period, rows removed')
    .option('--confirm <tenant>', 'the name again: its rows will be deleted')
    .option('--grace-seconds <seconds>', 'wait between the final archive and the deletion', wholeNumber(0, 2_592_000))
    .option('--reason <text>', 'kept in the audit')
    .action(
      async (id: string, options: { confirm?: string; graceSeconds?: number; reason?: string }, command: Command) => {
        await read(id);
        await confirm({
          given: options.confirm,
          tenantId: id,
          effect: `takes a final archive of ${id} and deletes its rows`,
        });
        const { graceSeconds, reason } = options;
        const path = `/tenants/${encodeURIComponent(id)}${query({ graceSeconds, reason })}`;
        await run(command, { method: 'DELETE', path });
      },
    );

  return tenant;
};
