import { Command, Option } from 'commander';
import { describeMoveEnd, type MoveEnd } from '../../domain/move-end.ts';
import { call, query } from '../api.ts';
import { CommandFailure, exitCodes } from '../exit-codes.ts';
import { globals, run, start, wholeNumber } from '../options.ts';
import { faint, green, instant, print, printRecord, red, yellow } from '../print.ts';
import type { Following } from '../progress.ts';
import { parseDuration } from '../times.ts';

interface Finding {
  readonly check: string;
  readonly ok: boolean;
  readonly detail: string;
  readonly fix: string | null;
  readonly blocks: 'live' | 'both';
}

interface MoveRow {
  readonly id: string;
  readonly tenantId: string;
  readonly source: MoveEnd;
  readonly target: MoveEnd;
  readonly mode: string;
  readonly phase: string;
  readonly dryRun: boolean;
  readonly preflight: readonly Finding[];
  readonly estimate: {
    readonly rows: number;
    readonly bytes: number;
    readonly live: { readonly copySeconds: number; readonly stallSeconds: number };
    readonly freeze: { readonly stallSeconds: number };
  };
  readonly copy: { readonly ready: number; readonly total: number; readonly lagBytes: number } | null;
  readonly cutOver: Readonly<Record<string, number>> | null;
  readonly wayBack: Readonly<Record<string, number>> | null;
  readonly verification: unknown;
  readonly windowUntil: string | null;
  readonly createdAt: string;
  readonly endedAt: string | null;
  readonly reason: string | null;
}

const path = (id: string): string => `/moves/${encodeURIComponent(id)}`;
const read = (id: string): Promise<MoveRow> => call<MoveRow>('GET', path(id));

const megabytes = (bytes: number): string => `${(bytes / 1_000_000).toFixed(1)} MB`;

const planLines = ({ source, target, estimate, mode }: MoveRow): string[] => [
  `${describeMoveEnd(source)}  ->  ${describeMoveEnd(target)}${mode === 'switch' ? '' : `   ${estimate.rows} rows, ${megabytes(estimate.bytes)}`}`,
  mode === 'switch'
    ? 'the rows stay where they are: nobody waits'
    : mode === 'live'
      ? `live: about ${estimate.live.copySeconds.toFixed(1)} s of copying, writes wait for about ${Math.round(estimate.live.stallSeconds * 1000)} ms`
      : `freeze: writes wait for about ${estimate.freeze.stallSeconds.toFixed(1)} s`,
];

const findingLines = ({ preflight }: MoveRow): string[] =>
  preflight.map(({ check, ok, detail, fix, blocks }) => {
    const mark = ok ? green('ok  ') : blocks === 'both' ? red('stop') : yellow('live');
    return `${mark}  ${check.padEnd(18)} ${detail}${fix ? `\n      ${''.padEnd(18)} fix: ${fix}` : ''}`;
  });

const timings = (parts: Readonly<Record<string, number>>): string =>
  Object.entries(parts)
    .map(([name, millis]) => `${name} ${Math.round(millis * 10) / 10}`)
    .join('  ');

/** What a step of a move has to tell, as soon as it is over. */
const showSteps: Following = {
  onStep: async ({ step, status }, { id }) => {
    if (status !== 'succeeded') return;
    const move = await read(id).catch(() => undefined);
    if (!move) return;
    const lines = {
      PlanMigration: planLines(move),
      AwaitCopy: move.copy
        ? [`${move.copy.ready} of ${move.copy.total} tables, ${move.copy.lagBytes} bytes behind`]
        : [],
      CutOver: move.cutOver ? [`ms: ${timings(move.cutOver)}`] : [],
      MoveBack: move.wayBack ? [`ms: ${timings(move.wayBack)}`] : [],
    }[step];
    for (const line of lines ?? []) console.error(`        ${line}`);
  },
};

const nextSteps = ({ tenantId, phase, windowUntil }: MoveRow): string | undefined => {
  if (phase === 'switched')
    return `until ${instant(windowUntil)}: npx tenantry migrate back ${tenantId}   earlier: npx tenantry migrate finish ${tenantId}`;
  if (phase === 'returned') return `clear up: npx tenantry migrate finish ${tenantId}`;
  if (phase === 'planned' || phase === 'copying') return `give it up: npx tenantry migrate abandon ${tenantId}`;
  return undefined;
};

const show = (command: Command, move: MoveRow): void => {
  printRecord(globals(command).output, move, {
    move: move.id,
    tenant: move.tenantId,
    from: describeMoveEnd(move.source),
    to: describeMoveEnd(move.target),
    mode: move.mode,
    phase: move.phase,
    stall: move.cutOver?.stall === undefined ? null : `${Math.round(move.cutOver.stall)} ms`,
    'back until': move.phase === 'switched' ? instant(move.windowUntil) : null,
    begun: instant(move.createdAt),
    ended: move.endedAt === null ? null : instant(move.endedAt),
    reason: move.reason,
  });
};

interface MigrateOptions {
  readonly tier?: string;
  readonly isolation?: string;
  readonly cell?: string;
  readonly server?: string;
  readonly mode?: string;
  readonly window?: string;
  readonly dryRun?: boolean;
  readonly reason?: string;
}

const runMigrate = async (tenantId: string, options: MigrateOptions, command: Command): Promise<void> => {
  const { window, ...asked } = options;
  if (!options.tier && !options.isolation && !options.cell && !options.server)
    throw new CommandFailure(exitCodes.usage, 'say where to: give --tier, --isolation, --cell or --server');
  const body = {
    tenantId,
    ...asked,
    ...(window === undefined ? {} : { windowSeconds: parseDuration('--window', window) }),
  };
  const operation = await start(command, { method: 'POST', path: '/moves', body }, showSteps);
  if (!operation || operation.status === 'failed') return;
  const move = await read(operation.id);
  if (options.dryRun) for (const line of findingLines(move)) console.error(line);
  show(command, move);
  const blocked = move.preflight.some(({ ok }) => !ok);
  if (options.dryRun && blocked) process.exitCode = exitCodes.executionFailed;
  const next = nextSteps(move);
  if (next) console.error(faint(next));
};

const actionCommand = (name: 'back' | 'finish' | 'abandon', description: string): Command =>
  new Command(name)
    .argument('<tenant>', 'the tenant, or the id of the move')
    .description(description)
    .option('--reason <text>', 'kept in the audit')
    .action(async (id: string, _options: unknown, command: Command) => {
      const { reason } = command.optsWithGlobals<{ reason?: string }>();
      const operation = await run(
        command,
        { method: 'POST', path: `${path(id)}/${name}`, body: { reason } },
        showSteps,
      );
      if (operation?.status === 'succeeded' && globals(command).output === 'table')
        show(command, await read(operation.id));
    });

const listCommand = new Command('list')
  .description('moves, newest first')
  .option('--tenant <tenant>', 'only of this tenant')
  .option('--open', 'only those that are not over, or can still be taken back')
  .option('--limit <count>', 'page size', wholeNumber(1, 500), 50)
  .action(async (options: { tenant?: string; open?: boolean; limit: number }, command: Command) => {
    const page = await call<{ items: MoveRow[] }>(
      'GET',
      `/moves${query({ ...options, open: options.open ? 'true' : undefined })}`,
    );
    print(globals(command).output, page, page.items, [
      { title: 'move', value: (row) => row.id },
      { title: 'tenant', value: (row) => row.tenantId },
      { title: 'phase', value: (row) => row.phase },
      { title: 'from', value: (row) => describeMoveEnd(row.source) },
      { title: 'to', value: (row) => describeMoveEnd(row.target) },
      { title: 'begun', value: (row) => instant(row.createdAt) },
      { title: 'back until', value: (row) => (row.phase === 'switched' ? instant(row.windowUntil) : null) },
    ]);
  });

const showCommand = new Command('show')
  .argument('<tenant>', 'the tenant, or the id of a move or of its operation')
  .description('how a move stands, and what its preflight found')
  .action(async (id: string, _options: unknown, command: Command) => {
    const move = await read(id);
    show(command, move);
    if (globals(command).output === 'table') for (const line of findingLines(move)) console.error(line);
    const next = nextSteps(move);
    if (next) console.error(faint(next));
  });

export const migrateCommand = (): Command => {
  const migrate = new Command('migrate')
    .description("moves a tenant's rows and its app to another place while they are used, with a way back")
    .argument('<tenant>')
    .addOption(
      new Option(
        '--tier <kind>',
        'shared: the app of all; namespace: an app of its own in a shared cluster; cluster: a cluster of its own',
      ).choices(['shared', 'namespace', 'cluster']),
    )
    .addOption(
      new Option(
        '--isolation <kind>',
        'pooled: shared tables; database: one of its own; server: a server of its own',
      ).choices(['pooled', 'database', 'server']),
    )
    .option('--cell <id>', 'exactly this cell')
    .option('--server <id>', 'exactly this shared server, for isolation database')
    .addOption(
      new Option(
        '--mode <mode>',
        'freeze: for schemas that cannot be replicated; writes wait for the whole copy',
      ).choices(['live', 'freeze']),
    )
    .option(
      '--window <duration>',
      'how long the way back stays open, such as 30m, 12h or 7d; 24h unless told, 0s clears up at once',
    )
    .option('--dry-run', 'looks whether it would go, and how long it would take')
    .option('--reason <text>', 'kept in the audit')
    .action(runMigrate);
  for (const command of [
    listCommand,
    showCommand,
    actionCommand('back', 'takes a move back; nothing that was written since is lost'),
    actionCommand('finish', 'closes the way back and removes the old place'),
    actionCommand('abandon', 'gives up a move that has not switched yet'),
  ])
    migrate.addCommand(command);
  return migrate;
};
