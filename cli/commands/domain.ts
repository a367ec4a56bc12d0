import { setTimeout as delay } from 'node:timers/promises';
import { Command } from 'commander';
import { call } from '../api.ts';
import { CommandFailure, exitCodes } from '../exit-codes.ts';
import { globals } from '../options.ts';
import { instant, printRecord } from '../print.ts';

/** As the operator API answers it. */
export interface DomainRecord {
  readonly domain: string;
  readonly state: 'verified' | 'waiting';
  readonly record: { readonly type: string; readonly name: string; readonly value: string };
  readonly reason: string | null;
  readonly checkedAt: string | null;
  readonly provedAt: string | null;
}

/** Domains are looked at every minute; this is that and what a look takes. */
const patienceMillis = 100_000;

const pathOf = (tenant: string): string => `/tenants/${encodeURIComponent(tenant)}/domain`;

const recordText = ({ type, name, value }: DomainRecord['record']): string => `${type} ${name} with the value ${value}`;

/** One line: the domain, and what is to be done for it. */
export const domainText = ({ domain, state, record }: DomainRecord): string =>
  state === 'verified' ? domain : `${domain}, not routed before its owner creates ${recordText(record)}`;

const describe = ({ domain, state, record, reason, checkedAt, provedAt }: DomainRecord) => ({
  domain,
  state: state === 'verified' ? `verified ${instant(provedAt)}` : 'waits for its proof: not routed yet',
  record: recordText(record),
  'last look': checkedAt ? instant(checkedAt) : 'none yet',
  found: reason,
});

const seen = async (tenant: string, before: DomainRecord): Promise<DomainRecord> => {
  const end = performance.now() + patienceMillis;
  for (;;) {
    const now = await call<DomainRecord>('GET', pathOf(tenant));
    if (now.state === 'verified' || now.checkedAt !== before.checkedAt) return now;
    if (performance.now() > end)
      throw new CommandFailure(exitCodes.waitTimedOut, `nobody has looked at ${before.domain} yet; ask again later`);
    await delay(1_000);
  }
};

export const domainCommand = (): Command => {
  const domain = new Command('domain').description('the custom domains of tenants, and their proofs');

  domain
    .command('get <tenant>')
    .description('its custom domain, the TXT record that proves it, and what the last look found')
    .action(async (tenant: string, _options: unknown, command: Command) => {
      const found = await call<DomainRecord>('GET', pathOf(tenant));
      printRecord(globals(command).output, found, describe(found));
      const { type, name, value } = found.record;
      if (found.state === 'waiting')
        console.error(
          `on the laptop: npx tenantry dns set ${name} ${type} ${value}   and an address for ${found.domain}`,
        );
    });

  domain
    .command('check <tenant>')
    .description('has its custom domain looked at now, and waits for the answer')
    .option('--reason <text>', 'kept in the audit')
    .action(async (tenant: string, options: { reason?: string }, command: Command) => {
      const { output, wait } = globals(command);
      const before = await call<DomainRecord>('POST', `${pathOf(tenant)}/check`, options);
      if (wait) console.error('domains are looked at every minute; this waits for it');
      const found = wait ? await seen(tenant, before) : before;
      printRecord(output, found, describe(found));
      if (wait && found.state !== 'verified')
        throw new CommandFailure(exitCodes.executionFailed, found.reason ?? 'not proved');
    });

  return domain;
};
