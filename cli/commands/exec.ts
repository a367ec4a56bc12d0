import { Command, Option } from 'commander';
import { call, query } from '../api.ts';
import { globals, start } from '../options.ts';
import { instant, print, printRecord, printTable } from '../print.ts';
import { followToEnd, type OperationRecord } from '../progress.ts';

const path = (id: string): string => `/operations/${encodeURIComponent(id)}`;

export const execCommand = (): Command => {
  const exec = new Command('exec').description('executions of the workflows');

  exec
    .command('list')
    .description('operations, newest first')
    .option('--tenant <tenant>', 'only of this tenant')
    .option('--kind <kind>', 'only of this workflow, such as restore-tenant')
    .addOption(
      new Option('--status <status>', 'only these').choices(['running', 'awaiting-approval', 'succeeded', 'failed']),
    )
    .option('--limit <count>', 'page size', '50')
    .action(async (options: Record<string, string>, command: Command) => {
      const page = await call<{ items: OperationRecord[] }>('GET', `/operations${query(options)}`);
      print(globals(command).output, page, page.items, [
        { title: 'operation', value: (row) => row.id },
        { title: 'kind', value: (row) => row.kind },
        { title: 'tenant', value: (row) => row.tenantId },
        { title: 'status', value: (row) => row.status },
        { title: 'started', value: (row) => instant(row.startedAt) },
        { title: 'failed in', value: (row) => row.failedStep },
        { title: 'reason', value: (row) => row.reason?.slice(0, 80) },
      ]);
    });

  exec
    .command('get <operation>')
    .description('one operation with its steps')
    .action(async (id: string, _options: unknown, command: Command) => {
      const operation = await call<OperationRecord>('GET', path(id));
      const { output } = globals(command);
      printRecord(output, operation as unknown as Record<string, unknown>);
      if (output === 'json') return;
      console.log('');
      printTable(operation.steps ?? [], [
        { title: 'step', value: (row) => row.step },
        { title: 'attempt', value: (row) => row.attempt + 1, right: true },
        { title: 'status', value: (row) => row.status },
        { title: 'started', value: (row) => instant(row.startedAt) },
        {
          title: 'ms',
          value: (row) => (row.endedAt ? Date.parse(row.endedAt) - Date.parse(row.startedAt) : null),
          right: true,
        },
        { title: 'error', value: (row) => row.error },
      ]);
    });

  exec
    .command('watch <operation>')
    .description('follows an operation to its end')
    .action(async (id: string, _options: unknown, command: Command) => {
      await followToEnd(id, globals(command).timeout);
    });

  for (const [verb, description] of [
    ['stop', 'stops a running execution'],
    ['redrive', 'continues a failed execution from the failed state'],
    ['approve', 'lets a restore that waits for approval go on'],
    ['reject', 'ends a restore that waits for approval; live rows stay as they are'],
  ] as const)
    exec
      .command(`${verb} <operation>`)
      .description(description)
      .option('--reason <text>', 'kept in the audit')
      .action(async (id: string, options: { reason?: string }, command: Command) => {
        if (verb === 'stop' || verb === 'reject') {
          await call('POST', `${path(id)}/${verb}`, options);
          console.error(`${id}: ${verb === 'stop' ? 'stopped' : 'rejected'}`);
        } else await start(command, 'POST', `${path(id)}/${verb}`, options);
      });

  return exec;
};
