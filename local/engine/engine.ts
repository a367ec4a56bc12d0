import { join } from 'node:path';
import { openDatabase } from '../database.ts';
import { type ExecutionRow, openExecutionRows } from './execution-rows.ts';
import { openExecutions } from './executions.ts';
import { openFrames } from './frame.ts';
import { openHistory } from './history.ts';
import { openJournal } from './journal.ts';
import { openMachines } from './machines.ts';
import { openMapRuns } from './maps/map-runs.ts';
import { redrivable } from './redrive.ts';
import { schema } from './schema.ts';
import { openScope } from './scope.ts';
import { openStatusEvents } from './status-events.ts';
import { openTokens } from './tokens.ts';
import type { Integrations, Log, World } from './world.ts';

export interface EngineOptions {
  /** Folder of `states.sqlite`; it is the whole memory of the engine. */
  readonly directory: string;
  readonly region: string;
  readonly accountId: string;
  readonly integrations: Integrations;
  readonly log?: Log;
  /** Called after each commit. */
  readonly onCommit?: () => void;
  /** Called once an execution has ended and that is on disk. */
  readonly onEnd?: (row: ExecutionRow) => void;
}

export interface Engine {
  readonly world: World;
  /** Goes on with every execution that an earlier life left open; answers their ARNs. Call once, before anything is started. */
  resume(): string[];
  /** Stops acting without ending anything: what is open goes on at the next `resume`. */
  close(): void;
}

/** Opens the durable engine on `directory`. Nothing runs before `resume` or the first start. */
export const openEngine = (options: EngineOptions): Engine => {
  const database = openDatabase(join(options.directory, 'states.sqlite'), schema);
  const journal = openJournal(database, options.onCommit);
  const rows = openExecutionRows(database);
  const machines = openMachines(database);
  const scope = openScope();
  const ended = (row: ExecutionRow): void => {
    const machine = machines.find(row.machine_arn);
    if (machine?.status === 'DELETING' && !rows.hasOpen(machine.arn)) journal.write(() => machines.remove(machine.arn));
    options.onEnd?.(row);
  };
  const world: World = {
    region: options.region,
    accountId: options.accountId,
    integrations: options.integrations,
    log: options.log ?? (() => {}),
    database,
    journal,
    history: openHistory(database),
    frames: openFrames(database),
    tokens: openTokens(database, journal),
    mapRuns: openMapRuns(database),
    machines,
    executions: openExecutions(() => world, rows, machines, ended),
    statusEvents: openStatusEvents({
      database,
      journal,
      bus: options.integrations.statusEvents,
      redrivable: (row) => redrivable(world, row),
      log: (line) => world.log(line),
    }),
    scope,
  };
  return {
    world,
    resume: () => {
      world.statusEvents.send();
      return rows.open().map((row) => {
        world.executions.takeUp(row);
        return row.arn;
      });
    },
    close: () => {
      if (scope.aborted) return;
      scope.abort(true);
      world.statusEvents.close();
      journal.close();
      database.close();
    },
  };
};
