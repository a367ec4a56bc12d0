import { Logger } from '@aws-lambda-powertools/logger';
import type { DatabasePlace } from '../../adapters/postgres/connection.ts';
import type { MoveRecord } from '../../adapters/registry/moves.ts';
import { type Cleaned, janitor } from '../../adapters/replication/janitor.ts';
import { channelPattern } from '../../adapters/replication/names.ts';
import type { World } from '../../adapters/world.ts';
import { operationName } from '../../domain/operation.ts';
import { worldOfProcess } from '../step.ts';
import { sideAt } from './move-step.ts';
import { routeByRecord } from './route-tenant.ts';

const logger = new Logger({ serviceName: 'tenantry' });

/** Log that one slot keeps: at a gigabyte somebody is told, long before a disk of 20 is full. */
const muchRetained = 1_000_000_000;

export interface Swept {
  /** Operations that were started: moves whose window is over are finished, those whose operation died are given up. */
  readonly started: readonly string[];
  readonly removed: number;
  readonly lagging: readonly string[];
  readonly unreachable: readonly string[];
}

type Clearing = 'finish' | 'abandon';

/** Milliseconds after its window for which a move is left to whoever finishes it by hand. */
const graceMillis = 900_000;

/** What has to be done about a move that nobody works on; undefined while it is as it should be. */
const clearingOf = async (world: World, move: MoveRecord): Promise<Clearing | undefined> => {
  // A move without a window is finished by the operation that made it, which may still be at work.
  const operation = await world.registry.operations.get(move.operationId);
  if (!operation?.endedAt) return undefined;
  if (move.phase !== 'switched' && move.phase !== 'returned') return 'abandon';
  const over = move.windowUntil !== null && move.windowUntil.getTime() + graceMillis <= world.now().getTime();
  return over ? 'finish' : undefined;
};

/** One attempt an hour: a name is used once, and what failed for a reason shall be looked at by then. */
const startClearing = async (world: World, move: MoveRecord, action: Clearing): Promise<string | undefined> => {
  const hour = world.now().toISOString().slice(0, 13);
  const name = await operationName(`${action}-move`, move.tenantId, `${move.id}/${action}/${hour}`);
  const input = { tenantId: move.tenantId, action, requestedBy: 'SweepMoves' };
  const { started } = await world.machines.start('migrate-tenant', name, input);
  return started ? name : undefined;
};

/** Databases of one server in which a move has left a slot or a subscription; both catalogs tell of the whole server. */
const touchedSql = `
SELECT database AS name FROM pg_replication_slots WHERE slot_name ~ $1 AND database IS NOT NULL
UNION SELECT d.datname FROM pg_subscription s JOIN pg_database d ON d.oid = s.subdbid WHERE s.subname ~ $1`;

const touchedDatabases = async (world: World, place: DatabasePlace): Promise<DatabasePlace[]> => {
  const client = await world.databases.connect(place, 'migrate');
  try {
    const { rows } = await client.query<{ name: string }>(touchedSql, [channelPattern]);
    return rows.map(({ name }) => ({ ...place, database: name }));
  } finally {
    await client.end();
  }
};

const placesToClean = async (world: World): Promise<DatabasePlace[]> => {
  const cells = await world.registry.cells.list();
  const places = new Map(cells.map((cell) => [`${cell.host}:${cell.port}/${cell.database}`, cell as DatabasePlace]));
  for (const { id, host, port, secretPrefix } of await world.registry.servers.list()) {
    if (host === null || port === null) continue;
    try {
      for (const place of await touchedDatabases(world, { host, port, secretPrefix, database: 'postgres' }))
        places.set(`${place.host}:${place.port}/${place.database}`, place);
    } catch (error) {
      logger.warn('server could not be looked at', { server: id, error: String(error) });
    }
  }
  return [...places.values()];
};

const report = ({ removed, retained, unreachable }: Cleaned): string[] => {
  if (removed.length > 0) logger.warn('leftovers of moves were removed', { removed });
  if (unreachable.length > 0) logger.warn('databases did not answer', { unreachable });
  const lagging = retained.filter(({ bytes }) => bytes >= muchRetained);
  // lib/alarms.ts counts this message.
  for (const { name, database, bytes, active } of lagging)
    logger.warn('replication slot lags', { slot: name, database, bytes, active });
  return lagging.map(({ name }) => name);
};

/** A route that could not be switched when its tenant moved. */
const routeAgain = async (world: World, move: MoveRecord): Promise<void> => {
  try {
    await routeByRecord(world, move);
  } catch (error) {
    logger.warn('route could not be switched', { move: move.id, error: String(error) });
  }
};

/**
 * Looks after moves that nobody works on: those whose window is over are finished, those whose operation ended before the switch
 * are given up, and what moves that are over have left in any database is removed, its retained log reported.
 */
export const sweep = async (world: World): Promise<Swept> => {
  const open = await world.registry.moves.list({ open: true, limit: 500 });
  const started: string[] = [];
  for (const move of open) {
    const action = await clearingOf(world, move);
    if (!action) await routeAgain(world, move);
    const name = action && (await startClearing(world, move, action));
    if (name) started.push(name);
  }
  const sides = await Promise.all((await placesToClean(world)).map((place) => sideAt(world, place)));
  const cleaned = await janitor(
    sides,
    open.map(({ id }) => id),
  );
  return { started, removed: cleaned.removed.length, lagging: report(cleaned), unreachable: cleaned.unreachable };
};

/** Called by its schedule, every five minutes. */
export const handler = (): Promise<Swept> => sweep(worldOfProcess());
