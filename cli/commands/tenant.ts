import { Command, Option } from 'commander';
import { call, query } from '../api.ts';
import { CommandFailure, exitCodes } from '../exit-codes.ts';
import { globals, start } from '../options.ts';
import { instant, print, printRecord } from '../print.ts';

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

export const tenantCommand = (): Command => {
  const tenant = new Command('tenant').description('the customers');

  tenant
    .command('list')
    .description('all tenants')
    .option('--status <status>', 'only these: active, provisioning, suspended, deprovisioning, failed')
    .option('--limit <count>', 'page size', '100')
    .option('--after <tenant>', 'start behind this tenant')
    .action(async (options: { status?: string; limit: string; after?: string }, command: Command) => {
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
      const record = await call<Record<string, unknown>>('GET', `/tenants/${encodeURIComponent(id)}`);
      printRecord(globals(command).output, record);
    });

  tenant
    .command('create <tenant>')
    .description('signs a tenant up, as the signup event does')
    .addOption(
      new Option('--plan <plan>', 'what it bought').choices(['starter', 'pro', 'enterprise']).default('starter'),
    )
    .option('--name <name>', 'name of the organisation')
    .option('--admin-email <email>', 'its first user')
    .option('--admin-name <name>', 'the name of its first user')
    .option('--custom-domain <domain>', 'a domain of its own')
    .option('--region <region>', 'where its data has to stay')
    .action(async (tenantId: string, options: Record<string, string>, command: Command) => {
      await start(command, 'POST', '/tenants', { tenantId, ...options });
    });

  tenant
    .command('delete <tenant>')
    .description('takes a tenant off: final archive, grace period, rows removed')
    .requiredOption('--confirm <tenant>', 'the name again: its rows will be deleted')
    .option('--grace-seconds <seconds>', 'wait between the final archive and the deletion', Number)
    .option('--reason <text>', 'kept in the audit')
    .action(
      async (id: string, options: { confirm: string; graceSeconds?: number; reason?: string }, command: Command) => {
        if (options.confirm !== id)
          throw new CommandFailure(
            exitCodes.refused,
            `--confirm is "${options.confirm}", the tenant is "${id}": give the same name, nothing was changed`,
          );
        const { graceSeconds, reason } = options;
        await start(command, 'DELETE', `/tenants/${encodeURIComponent(id)}${query({ graceSeconds, reason })}`);
      },
    );

  return tenant;
};
