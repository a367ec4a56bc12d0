import type { Client } from 'pg';
import { inScratch, sweepScratch } from '../../adapters/drill/scratch.ts';
import { roleSecret } from '../../adapters/postgres/connection.ts';
import type { Cell } from '../../adapters/registry/cells.ts';
import type { World } from '../../adapters/world.ts';
import { StepFailure } from '../../domain/errors.ts';

const asOwner = async <Result>(world: World, cell: Cell, work: (owner: Client) => Promise<Result>): Promise<Result> => {
  const owner = await world.databases.connect(cell, 'migrate');
  try {
    return await work(owner);
  } finally {
    await owner.end().catch(() => undefined);
  }
};

const cellOf = async (world: World, id: string): Promise<Cell> => {
  const cell = await world.registry.cells.get(id);
  if (!cell) throw new StepFailure('InvalidStepInput', `cell ${id} does not exist; start the drill again`);
  return cell;
};

/**
 * Runs `work` in a scratch database on the server of a cell, made from one of its templates and dropped afterwards. Undefined
 * where the cell has no such template. When the step runs out of time the connection is cut, so that the drop comes in time.
 */
export const inScratchOf = async <Result>(
  world: World,
  { cell: id, template, signal }: { cell: string; template: string; signal: AbortSignal },
  work: (client: Client) => Promise<Result>,
): Promise<Result | undefined> => {
  const cell = await cellOf(world, id);
  const { username: restorer } = await world.secrets.credentials(roleSecret(cell, 'restore'));
  const connect = (role: 'migrate' | 'restore') => (database: string) =>
    world.databases.connect({ ...cell, database }, role);
  return asOwner(world, cell, (owner) =>
    inScratch(
      { owner, template, restorer, connectOwner: connect('migrate'), connectRestorer: connect('restore') },
      async (client) => {
        const cut = (): void => void client.end().catch(() => undefined);
        signal.addEventListener('abort', cut, { once: true });
        try {
          return await work(client);
        } finally {
          signal.removeEventListener('abort', cut);
        }
      },
    ),
  );
};

/** Drops what killed attempts left on the server of a cell; safe to repeat. */
export const sweepCell = async (world: World, id: string): Promise<void> => {
  await asOwner(world, await cellOf(world, id), sweepScratch);
};
