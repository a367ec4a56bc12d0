import { readFileSync } from 'node:fs';
import { Command } from 'commander';
import { call, query } from '../api.ts';
import { CommandFailure, exitCodes } from '../exit-codes.ts';
import { globals } from '../options.ts';
import { print } from '../print.ts';

interface EventRow {
  readonly cursor: number;
  readonly id: string;
  readonly time: string;
  readonly source: string;
  readonly detailType: string;
  readonly tenantId: string | null;
  readonly detail: unknown;
}

interface DeadLetter {
  readonly messageId: string;
  readonly reason: string;
  readonly detailType: string | null;
  readonly body: string;
}

const parseDetail = (text: string, from: string): Record<string, unknown> => {
  try {
    return JSON.parse(text) as Record<string, unknown>;
  } catch (error) {
    throw new CommandFailure(exitCodes.usage, `${from} is not JSON: ${(error as Error).message}`);
  }
};

const eventLine = (event: EventRow): string =>
  `${event.time}  ${event.detailType.padEnd(26)} ${(event.tenantId ?? '-').padEnd(16)} ${JSON.stringify(event.detail)}`;

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
          ...(options.file ? parseDetail(readFileSync(options.file, 'utf8'), `--file ${options.file}`) : {}),
          ...(options.detail ? parseDetail(options.detail, '--detail') : {}),
          ...(options.tenant ? { tenantId: options.tenant } : {}),
        };
        const answer = await call<{ eventId: string }>('POST', '/events', { detailType, detail });
        console.log(globals(command).output === 'json' ? JSON.stringify(answer) : answer.eventId);
      },
    );

  event
    .command('tail')
    .description('prints events as they come, until Ctrl-C')
    .option('--after <cursor>', 'start behind this event; 0 is the first', Number)
    .option('--once', 'print what is there and end')
    .action(async (options: { after?: number; once?: boolean }, command: Command) => {
      const { output } = globals(command);
      let after = options.after ?? (options.once ? 0 : undefined);
      for (;;) {
        const page: { items: EventRow[]; cursor: number } = await call(
          'GET',
          `/events${query({ after, limit: 100, wait: options.once ? 0 : 20 })}`,
        );
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
