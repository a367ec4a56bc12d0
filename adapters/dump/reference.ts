import { createHash } from 'node:crypto';
import type { ClientBase } from 'pg';
import type { ArchiveMember, ReferenceRows } from '../../domain/archive.ts';
import type { Objects } from '../archive/objects.ts';
import { packTar } from '../archive/tar.ts';
import { identPath } from '../postgres/identifier.ts';
import { copyOut } from './copy-out.ts';
import { type DigestAlgorithm, digestSql } from './digest.ts';
import { packMember } from './member-text.ts';
import { copyReference, type Leaf } from './plan.ts';

/** Reference tables above this are not copied into archives: they are not lists of codes but data of their own. */
const largest = 64 * 1024 * 1024;

/**
 * Writes the rows of the reference tables, which tenants' foreign keys may need, once for all archives that saw the same
 * ones: the key is named after the content. Undefined when there are none or they are larger than 64 MiB.
 */
export const writeReference = async (
  client: ClientBase,
  objects: Objects,
  leaves: readonly Leaf[],
  algorithm: DigestAlgorithm,
): Promise<ReferenceRows | undefined> => {
  if (leaves.length === 0) return undefined;
  const sizes = await client.query<{ size: string }>(
    'SELECT sum(pg_table_size(path::regclass)) AS size FROM unnest($1::text[]) path',
    [leaves.map(({ path }) => identPath(path))],
  );
  if (Number(sizes.rows[0]?.size ?? 0) > largest) return undefined;
  const files: { name: string; content: Buffer; member: Omit<ArchiveMember, 'offset' | 'object'> }[] = [];
  for (const leaf of leaves) {
    const chunks: Buffer[] = [];
    const [rows = 0] = await copyOut(client, [copyReference(leaf)], (chunk) => void chunks.push(chunk));
    const found = await client.query<{ digest: string }>(
      `SELECT ${digestSql(leaf.columns, algorithm)} AS digest FROM ONLY ${identPath(leaf.path)} x`,
    );
    const { content, sha256, bytes } = await packMember(chunks);
    files.push({
      name: `${leaf.dumpId}.dat.gz`,
      content,
      member: {
        table: leaf.path,
        root: leaf.root,
        columns: leaf.columns.map(({ name }) => name),
        rows,
        digest: found.rows[0]?.digest ?? '0',
        algorithm,
        dumpId: leaf.dumpId,
        length: content.length,
        sha256,
        bytes,
      },
    });
  }
  const { tar, offsets } = packTar(files);
  const key = `reference/${createHash('sha256').update(tar).digest('hex')}.tar`;
  await objects.putNew(key, tar, 'application/x-tar');
  return { key, members: files.map(({ member }, place) => ({ ...member, object: key, offset: offsets[place] ?? 0 })) };
};
