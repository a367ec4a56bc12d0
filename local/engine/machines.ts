import { createHash, randomUUID } from 'node:crypto';
import type { DatabaseSync } from 'node:sqlite';
import type { Machine } from './definition.ts';

export interface MachineRow {
  readonly arn: string;
  readonly name: string;
  readonly definition: number;
  readonly role_arn: string;
  readonly status: 'ACTIVE' | 'DELETING';
  readonly revision: string | null;
  readonly created_at: number;
  readonly updated_at: number;
  /** JSON of what is kept and given back without a meaning here: logging, tracing, encryption. */
  readonly settings: string;
}

/** State machines and the definitions that executions hold on to. */
export interface Machines {
  find(arn: string): MachineRow | undefined;
  /** After `after` in the order of ARNs. */
  list(after: string, limit: number): MachineRow[];
  create(machine: Pick<MachineRow, 'arn' | 'name' | 'definition' | 'role_arn' | 'settings'>): MachineRow;
  /** Writes what changed under a new revision. */
  update(arn: string, change: Partial<Pick<MachineRow, 'definition' | 'role_arn' | 'settings'>>): MachineRow;
  markDeleting(arn: string): void;
  remove(arn: string): void;
  /** The id under which this text is kept; the same text has one id for ever. */
  keep(text: string): number;
  textOf(definition: number): string;
  parsed(definition: number): Machine;
}

export const openMachines = (database: DatabaseSync): Machines => {
  const select = database.prepare('SELECT * FROM machines WHERE arn = ?');
  const page = database.prepare('SELECT * FROM machines WHERE arn > ? ORDER BY arn LIMIT ?');
  const insert = database.prepare(
    `INSERT INTO machines(arn, name, definition, role_arn, status, created_at, updated_at, settings) VALUES(?,?,?,?,'ACTIVE',?,?,?)`,
  );
  const change = database.prepare(
    'UPDATE machines SET definition = ?, role_arn = ?, settings = ?, revision = ?, updated_at = ? WHERE arn = ?',
  );
  const deleting = database.prepare(`UPDATE machines SET status = 'DELETING' WHERE arn = ?`);
  const remove = database.prepare('DELETE FROM machines WHERE arn = ?');
  const byDigest = database.prepare('SELECT id FROM definitions WHERE digest = ?');
  const addText = database.prepare('INSERT INTO definitions(digest, text) VALUES(?, ?)');
  const textById = database.prepare('SELECT text FROM definitions WHERE id = ?');
  const machines = new Map<number, Machine>();

  const find = (arn: string): MachineRow | undefined => select.get(arn) as unknown as MachineRow | undefined;
  const textOf = (definition: number): string => String((textById.get(definition) as { text: string }).text);

  return {
    find,
    list: (after, limit) => page.all(after, limit) as unknown as MachineRow[],
    create: ({ arn, name, definition, role_arn, settings }) => {
      const now = Date.now();
      insert.run(arn, name, definition, role_arn, now, now, settings);
      return find(arn)!;
    },
    update: (arn, changes) => {
      const next = { ...find(arn)!, ...changes };
      change.run(next.definition, next.role_arn, next.settings, randomUUID(), Date.now(), arn);
      return find(arn)!;
    },
    markDeleting: (arn) => {
      deleting.run(arn);
    },
    remove: (arn) => {
      remove.run(arn);
    },
    keep: (text) => {
      const digest = createHash('sha256').update(text).digest('hex');
      const known = byDigest.get(digest) as { id: number } | undefined;
      return known ? known.id : Number(addText.run(digest, text).lastInsertRowid);
    },
    textOf,
    parsed: (definition) => {
      let machine = machines.get(definition);
      if (!machine) {
        machine = JSON.parse(textOf(definition)) as Machine;
        machines.set(definition, machine);
      }
      return machine;
    },
  };
};
