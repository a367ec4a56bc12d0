import * as z from 'zod';

/** One table (or leaf partition) inside an archive: where its gzip member lies and what it must hold. */
export const memberSchema = z.object({
  /** `schema.table` of the table or leaf that the rows were copied from. */
  table: z.string(),
  /** `schema.table` of the tenant table: the same, or the root of the partition tree. */
  root: z.string(),
  columns: z.array(z.string()).min(1),
  rows: z.int().nonnegative(),
  /** Order-free digest of the rows over `columns`: decimal text, comparable only under the same `algorithm`. */
  digest: z.string(),
  algorithm: z.enum(['record-v2', 'text-v1', 'record-v1']),
  /** pg_dump's dump id: the member is `<dumpId>.dat.gz` of a directory-format dump. */
  dumpId: z.int().positive(),
  /** Key of the S3 object relative to the archive's prefix, and the byte range of the gzip member in it. */
  object: z.string(),
  offset: z.int().nonnegative(),
  length: z.int().nonnegative(),
  /** Hex SHA-256 of those bytes. */
  sha256: z.string().regex(/^[0-9a-f]{64}$/),
  /** Bytes of COPY text before compression. */
  bytes: z.int().nonnegative(),
});

/** Reference rows that the archive's foreign keys may need: one object for all archives that saw the same rows. */
export const referenceSchema = z.object({
  /** Key in the archive bucket, named after the schema and the content; never under a tenant's prefix. */
  key: z.string().startsWith('reference/'),
  members: z.array(memberSchema),
});

/**
 * `manifest.json` of one archive. Tables without a row of the tenant have no member; `tables` names all in scope. Format 1 is an
 * object of its own, format 2 the first file of `archive.tar`; a reader takes both.
 */
export const manifestSchema = z.object({
  format: z.enum(['tenantry-archive/1', 'tenantry-archive/2']),
  tenantId: z.string(),
  backupId: z.string(),
  operation: z.string(),
  kind: z.enum(['manual', 'scheduled', 'safety', 'final', 'point-in-time']),
  /** Time of the snapshot, ISO 8601 UTC: the archive holds exactly what was committed then. */
  takenAt: z.string(),
  snapshotLsn: z.string(),
  postgresVersion: z.string(),
  isolation: z.enum(['pooled', 'database', 'server']),
  schema: z.object({ fingerprint: z.string(), lines: z.array(z.string()) }),
  /** Key of `toc.dat` in the archive bucket, absent where no fitting pg_dump was installed. */
  tocKey: z.string().optional(),
  /** Root tables in scope with totals over their members. */
  tables: z.array(z.object({ table: z.string(), rows: z.int(), digest: z.string() })),
  members: z.array(memberSchema),
  reference: referenceSchema.optional(),
  sequencesNote: z.string(),
});

/**
 * The manifest as it is stored: the lines of the schema are the same for every archive of a fingerprint and longer than all else
 * of a small tenant's (12 KB of 16 for eleven tables), so format 2 leaves them to `schemas/<fingerprint>/lines.json`.
 */
export const storedManifestSchema = manifestSchema.extend({
  schema: manifestSchema.shape.schema.partial({ lines: true }),
});

export type ArchiveMember = z.infer<typeof memberSchema>;
export type Manifest = z.infer<typeof manifestSchema>;
export type StoredManifest = z.infer<typeof storedManifestSchema>;
export type ReferenceRows = z.infer<typeof referenceSchema>;

/** `t/<tenant>/<backup>/`: the trailing slash keeps `acme` and `acme2` apart in IAM conditions and listings. */
export const archivePrefix = (tenantId: string, backupId: string): string => `t/${tenantId}/${backupId}/`;

export const manifestKey = (tenantId: string, backupId: string): string =>
  `${archivePrefix(tenantId, backupId)}manifest.json`;

/** Lines of a schema version, whose md5 is the fingerprint. */
export const schemaLinesKey = (fingerprint: string): string => `schemas/${fingerprint}/lines.json`;

/**
 * The object that makes an archive, written once: a tar with manifest.json and then the members, unless those are large and lie
 * in objects of their own. One request for a small tenant, and no moment in which half of an archive is there.
 */
export const archiveObject = 'archive.tar';

/** What pg_dump writes after the rows of a table; a member ends with it, so that stock pg_restore reads it. */
export const endOfData = '\\.\n\n\n';

/** Object that all archives of one schema version share: which toc.dat is theirs, and what it wants of them. */
export const tocKeyOf = (fingerprint: string): string => `schemas/${fingerprint}/toc.json`;

export const tocSchema = z.object({
  /** Key of toc.dat in the archive bucket. */
  key: z.string().startsWith('schemas/'),
  /** `schema.table` -> dump id of its rows, and the order in which toc.dat's COPY wants its columns. */
  entries: z.record(z.string(), z.object({ dumpId: z.int().positive(), columns: z.array(z.string()) })),
});
export type Toc = z.infer<typeof tocSchema>;
