import { createWriteStream } from 'node:fs';
import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { createGzip, gzipSync } from 'node:zlib';
import { endOfData, type Manifest, tocKeyOf, tocSchema } from '../../domain/archive.ts';
import { StepFailure } from '../../domain/errors.ts';
import type { Archive } from './archive.ts';

const noRows = gzipSync(endOfData);

async function* withMarker(text: AsyncIterable<Buffer>): AsyncGenerator<Buffer> {
  yield* text;
  yield Buffer.from(endOfData);
}

/** Every byte passes the checks of the reader first: a stock pg_restore notices no flipped bit in stored data by itself. */
const writeMember = (directory: string, dumpId: number, text: Readable): Promise<void> =>
  pipeline(text, withMarker, createGzip({ level: 1 }), createWriteStream(join(directory, `${dumpId}.dat.gz`)));

/**
 * Writes an archive into `directory` as pg_dump's own directory format, so that a stock `pg_restore` restores it whole or
 * one table with `-t`. Tables without rows of the tenant get an empty file, which pg_restore wants. BackupNotFound when the
 * archive has no toc.dat (no pg_dump was installed where it was written); ArchiveDamaged as the reader says.
 */
export const unpackArchive = async (archive: Archive, manifest: Manifest, directory: string): Promise<void> => {
  const { tenantId, backupId, tocKey, schema } = manifest;
  const text = tocKey === undefined ? undefined : await archive.objects.text(tocKeyOf(schema.fingerprint));
  const toc = text === undefined ? undefined : tocSchema.parse(JSON.parse(text));
  const content = toc?.key === tocKey && tocKey !== undefined ? await archive.objects.bytes(tocKey) : undefined;
  if (!toc || !content)
    throw new StepFailure(
      'BackupNotFound',
      `backup ${backupId} of tenant ${tenantId} has no toc.dat for pg_restore; restore it with Tenantry`,
    );
  await mkdir(directory, { recursive: true });
  await writeFile(join(directory, 'toc.dat'), content);
  for (const { dumpId } of Object.values(toc.entries)) await writeFile(join(directory, `${dumpId}.dat.gz`), noRows);
  for (const member of manifest.members) await writeMember(directory, member.dumpId, archive.member(manifest, member));
  const { reference } = manifest;
  for (const member of reference?.members ?? [])
    if (reference) await writeMember(directory, member.dumpId, archive.referenceMember(reference, member));
};
