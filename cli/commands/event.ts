import { readFileSync } from 'node:fs';
import { Command } from 'commander';
import { call, query } from '../api.ts';
import { CommandFailure, exitCodes } from '../exit-codes.ts';
import { globals, wholeNumber } from '../options.ts';
import { faint, instant, print, yellow } from '../print.ts';

interface EventRow {
  readonly cursor: number;
  readonly id: string;
  readonly time: string;
  readonly source: string;
  readonly detailType: string;
  readonly tenantId: string | null;
  readonly detail: Readonly<Record<string, unknown>>;
}

interface DeadLetter {
  readonly messageId: string;
  readonly reason: string;
  readonly sentAt: string;
  readonly detailType: string | null;
  readonly body: string;
}

const parseDetail = (text: string, from: string): Record<string, unknown> => {
  const refuse = (why: string): never => {
    throw new CommandFailure(exitCodes.usage, `${from} ${why}; write an object such as '{"plan":"pro"}'`);
  };
  let detail: unknown;
  try {
    detail = JSON.parse(text);
  } catch (error) {
    return refuse(`is not JSON: ${(error as Error).message}`);
  }
  if (typeof detail !== 'object' || detail === null || Array.isArray(detail)) return refuse('is no JSON object');
  return detail as Record<string, unknown>;
};

const readDetail = (file: string): string => {
  try {
    return readFileSync(file, 'utf8');
  } catch (error) {
    throw new CommandFailure(exitCodes.usage, `--file ${file} cannot be read: ${(error as Error).message}`);
  }
};

/** What a person wants to know of an event; the rest is in `-o json`. */
const gist = (detail: Readonly<Record<string, unknown>>): string =>
  ['operation', 'outcome', 'failedStep', 'reason', 'plan', 'url', 'backupId', 'restoreId']
    .filter((name) => typeof detail[name] === 'string')
    .map((name) => `${name}=${detail[name]}`)
    .join('  ');

/** `2026-11-23 06:36:35Z  TenantProvisioned  acme  operation=...`, on one line. */
const eventLine = ({ time, detailType, tenantId, detail }: EventRow): string =>
  `${instant(time)}  ${detailType.padEnd(26)} ${(tenantId ?? '-').padEnd(16)} ${gist(detail)
    .replaceAll(/\s*\n\s*/g, ' ')
    .slice(0, 200)}`.trimEnd();

export const eventCommand = (): Command => {
  const event = new Command('event').description('what goes over the bus');

  event
    .command('send <type>')
    .description('puts an event on the bus, such as TenantSignedUp')
    .option('--tenant <tenant>', 'tenantId of the detail')
    .option('--detail <json>', 'further members of the detail')
    .option('--file <path>', 'a file with the detail as JSON')
    .action(
      async (
        detailType: string,
        options: { tenant?: string; detail?: string; file?: string },
        command: Command,
      ): Promise<void> => {
        const detail = {
          ...(options.file ? parseDetail(readDetail(options.file), `--file ${options.file}`) : {}),
          ...(options.detail ? parseDetail(options.detail, '--detail') : {}),
          ...(options.tenant ? { tenantId: options.tenant } : {}),
        };
        const answer = await call<{ eventId: string; operation?: string; refused?: string }>('POST', '/events', {
          detailType,
          detail,
        });
        console.log(globals(command).output === 'json' ? JSON.stringify(answer, null, 2) : answer.eventId);
        if (answer.refused) console.error(yellow(`it will be refused: ${answer.refused} (npx tenantry event dead)`));
        if (answer.operation) console.error(`watch: npx tenantry exec watch ${answer.operation}`);
      },
    );

  event
    .command('tail')
    .description('prints events as they come, until Ctrl-C')
    .option('--after <cursor>', 'start behind this event; 0 is the first', wholeNumber(0, Number.MAX_SAFE_INTEGER))
    .option('--tenant <tenant>', 'only of this tenant')
    .option('--once', 'print what is there and end')
    .action(async (options: { after?: number; tenant?: string; once?: boolean }, command: Command) => {
      process.once('SIGINT', () => process.exit(exitCodes.interrupted));
      const { output } = globals(command);
      let after = options.after ?? (options.once ? 0 : undefined);
      for (;;) {
        const page: { items: EventRow[]; cursor: number } = await call(
          'GET',
          `/events${query({ after, tenant: options.tenant, limit: 100, wait: options.once ? 0 : 20 })}`,
        );
        if (after === undefined) console.error(faint('the newest events, then each as it comes; Ctrl-C ends it'));
        for (const row of page.items) console.log(output === 'json' ? JSON.stringify(row) : eventLine(row));
        if (options.once && page.items.length === 0) return;
        after = page.cursor;
      }
    });

  event
    .command('dead')
    .description('events that were refused, with the reason')
    .action(async (_options: unknown, command: Command) => {
      const page = await call<{ items: DeadLetter[] }>('GET', '/dead-letters');
      print(globals(command).output, page, page.items, [
        { title: 'message', value: (row) => row.messageId },
        { title: 'sent', value: (row) => instant(row.sentAt) },
        { title: 'type', value: (row) => row.detailType },
        { title: 'reason', value: (row) => row.reason },
      ]);
    });

  event
    .command('replay [message]')
    .description('sends refused events again, all or one; what is still wrong stays, with its reason')
    .action(async (messageId: string | undefined, _options: unknown, command: Command) => {
      const answer = await call<{ replayed: number; refused: { messageId: string; reason: string }[] }>(
        'POST',
        '/dead-letters/replay',
        messageId ? { messageId } : {},
      );
      console.error(`replayed ${answer.replayed}, still refused ${answer.refused.length}`);
      print(globals(command).output, answer, answer.refused, [
        { title: 'message', value: (row) => row.messageId },
        { title: 'reason', value: (row) => row.reason },
      ]);
    });

  return event;
};
