import type { DatabaseSync } from 'node:sqlite';
import type { Body } from './blobs.ts';

/** A piece of an object: its bytes, and the checksum of the part that it came as. */
export interface Piece extends Body {
  readonly id: number;
  readonly number: number;
  readonly checksum: string | null;
}

/** Files that a commit made superfluous, to be removed once it is on disk. */
export type Garbage = string[];

export type BodyRows = ReturnType<typeof openBodyRows>;

/** The bodies behind versions and parts, counted. Whatever writes must run inside a commit. */
export const openBodyRows = (database: DatabaseSync) => {
  const insert = database.prepare('INSERT INTO bodies (size, uses, file, bytes) VALUES (?, 1, ?, ?)');
  const reuse = database.prepare('UPDATE bodies SET uses = uses + 1 WHERE id = ?');
  const release = database.prepare('UPDATE bodies SET uses = uses - 1 WHERE id = ? RETURNING uses, file');
  const remove = database.prepare('DELETE FROM bodies WHERE id = ?');
  const addPiece = database.prepare('INSERT INTO pieces (sequence, number, body, checksum) VALUES (?, ?, ?, ?)');
  const pieces = database.prepare(
    `SELECT number, checksum, body AS id, size, file, bytes FROM pieces JOIN bodies ON bodies.id = pieces.body
     WHERE sequence = ? ORDER BY number`,
  );
  const dropPieces = database.prepare('DELETE FROM pieces WHERE sequence = ? RETURNING body');
  const isFile = database.prepare('SELECT 1 FROM bodies WHERE file = ?');

  const releaseOne = (id: number, garbage: Garbage): void => {
    const left = release.get(id) as unknown as { uses: number; file: string | null };
    if (left.uses > 0) return;
    remove.run(id);
    if (left.file !== null) garbage.push(left.file);
  };

  return {
    add: ({ size, file, bytes }: Body): number => Number(insert.run(size, file, bytes).lastInsertRowid),
    /** One more version or part refers to the body: what makes a copy cost nothing. */
    reuse: (id: number) => void reuse.run(id),
    release: releaseOne,
    addPiece: (sequence: number, number: number, body: number, checksum: string | null) =>
      void addPiece.run(sequence, number, body, checksum),
    piecesOf: (sequence: number): Piece[] => pieces.all(sequence) as unknown as Piece[],
    dropPieces(sequence: number, garbage: Garbage): void {
      for (const { body } of dropPieces.all(sequence) as { body: number }[]) releaseOne(body, garbage);
    },
    isFile: (file: string): boolean => isFile.get(file) !== undefined,
  };
};
