import { Command, Option } from 'commander';
import { call, query } from '../api.ts';
import { globals, printEnd, run, wholeNumber } from '../options.ts';
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
    .option('--limit <count>', 'page size', wholeNumber(1, 500), 50)
    .option(
      '--after <cursor>',
      'start behind this one: the cursor that the page before named',
      wholeNumber(0, Number.MAX_SAFE_INTEGER),
    )
    .action(async (options: Record<string, string | number>, command: Command) => {
      const page = await call<{ items: OperationRecord[]; next?: string }>('GET', `/operations${query(options)}`);
      print(globals(command).output, page, page.items, [
        { title: 'operation', value: (row) => row.id },
        { title: 'kind', value: (row) => row.kind },
        { title: 'tenant', value: (row) => row.tenantId },
        { title: 'status', value: (row) => row.status },
        { title: 'started', value: (row) => instant(row.startedAt) },
        { title: 'failed in', value: (row) => row.failedStep },
        { title: 'reason', value: (row) => row.reason?.slice(0, 80) },
      ]);
      if (page.next) console.error(`more: npx tenantry exec list --after ${page.next}`);
    });

  exec
    .command('get <operation>')
    .description('one operation with its steps')
    .action(async (id: string, _options: unknown, command: Command) => {
      const operation = await call<OperationRecord>('GET', path(id));
      const { output } = globals(command);
      printRecord(output, operation, {
        operation: operation.id,
        workflow: operation.kind,
        tenant: operation.tenantId,
        status: operation.status,
        'failed in': operation.failedStep,
        error: operation.error,
        reason: operation.reason,
        'asked by': operation.requestedBy,
        input: JSON.stringify(operation.input),
        outcome: operation.outcome ? JSON.stringify(operation.outcome) : null,
        started: instant(operation.startedAt),
        ended: operation.endedAt && instant(operation.endedAt),
        execution: operation.executionArn,
      });
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
        {
          title: 'error',
          value: (row) => (row.error ? [row.error, row.detail].filter(Boolean).join(': ').slice(0, 160) : null),
        },
      ]);
    });

  exec
    .command('watch <operation>')
    .description('follows an operation to its end')
    .action(async (id: string, _options: unknown, command: Command) => {
      printEnd(command, await followToEnd(id, globals(command).timeout));
    });

  for (const [verb, description] of [
    ['stop', 'stops a running execution'],
    ['redrive', 'does the work of a failed operation again, as a new operation'],
    ['approve', 'lets a restore that waits for approval go on'],
    ['reject', 'ends a restore that waits for approval; live rows stay as they are'],
  ] as const)
    exec
      .command(`${verb} <operation>`)
      .description(description)
      .option('--reason <text>', 'kept in the audit')
      .action(async (id: string, options: { reason?: string }, command: Command) => {
        if (verb === 'stop' || verb === 'reject') {
          const answer = await call('POST', `${path(id)}/${verb}`, options);
          console.error(`${id}: ${verb === 'stop' ? 'stopped' : 'rejected; live rows stay as they are'}`);
          if (globals(command).output === 'json') console.log(JSON.stringify(answer, null, 2));
        } else await run(command, { method: 'POST', path: `${path(id)}/${verb}`, body: options });
      });

  return exec;
};
