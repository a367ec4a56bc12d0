import type { ClientBase } from 'pg';
import type { Manifest, ReferenceRows, Toc } from '../../domain/archive.ts';
import { type Digests, sameDigests } from '../../domain/backup.ts';
import { leavesOf, type Scope } from '../../domain/scope.ts';
import type { Archive } from '../archive/archive.ts';
import { readColumns } from '../catalog/read-columns.ts';
import { readScope } from '../catalog/read-scope.ts';
import { isConnectionLost } from '../postgres/sql.ts';
import type { DigestAlgorithm } from './digest.ts';
import { openGate } from './gate.ts';
import type { ArchiveOwner, ExportContext } from './manifest.ts';
import { digestsOf, digestTenants, type Leaf, leavesOfScope, placeInDump, type Share } from './plan.ts';
import { writeReference } from './reference.ts';
import { exportSnapshot, joinSnapshot, type Snapshot } from './snapshot.ts';
import { readTenant } from './write-archive.ts';

/** A tenant's last sealed archive; when not a row has changed since, it is pointed to instead of being written again. */
export interface PreviousArchive {
  readonly archiveId: string;
  readonly schemaFingerprint: string;
  readonly digests: Digests;
  /** SHA-256 of its manifest, where it was recorded: a tampered archive is written anew, not pointed to. */
  readonly manifestSha256?: string | null;
}

export interface ExportTenant extends ArchiveOwner {
  readonly previous?: PreviousArchive | undefined;
}

export interface ExportRequest {
  /** Opens a client that sees all tenants and may write nothing; the export ends it. */
  readonly connect: () => Promise<ClientBase & { end(): Promise<void> }>;
  /** Connections that read at the same time, 2 unless said otherwise; one more keeps the snapshot. */
  readonly connections?: number;
  readonly archive: Archive;
  readonly tenants: readonly ExportTenant[];
  readonly isolation: Manifest['isolation'];
  readonly algorithm?: DigestAlgorithm;
  /** Finds or makes toc.dat of a schema version; undefined where no fitting pg_dump is. */
  readonly toc?: (fingerprint: string) => Promise<Toc | undefined>;
  /** Called as soon as a tenant's archive is complete; a throw fails that tenant. */
  readonly written: (exported: ExportedTenant) => Promise<void>;
  readonly signal?: AbortSignal | undefined;
}

export interface ExportedTenant {
  readonly tenantId: string;
  readonly backupId: string;
  readonly takenAt: string;
  readonly rows: number;
  /** Compressed bytes of the members. */
  readonly bytes: number;
  readonly schemaFingerprint: string;
  readonly digests: Digests;
  /** Backup whose archive holds the same rows; null when this backup has its own. */
  readonly sameAs: string | null;
}

export interface FailedTenant {
  readonly tenantId: string;
  readonly backupId: string;
  readonly reason: string;
}

type Client = ClientBase & { end(): Promise<void> };

/** What a manifest says about its backup: also that of another attempt, which took its snapshot at another time. */
const exportedBy = (manifest: Manifest): ExportedTenant => ({
  tenantId: manifest.tenantId,
  backupId: manifest.backupId,
  takenAt: manifest.takenAt,
  rows: manifest.members.reduce((sum, member) => sum + member.rows, 0),
  bytes: manifest.members.reduce((sum, member) => sum + member.length, 0),
  schemaFingerprint: manifest.schema.fingerprint,
  digests: {
    algorithm: manifest.members[0]?.algorithm ?? 'record-v1',
    major: Number.parseInt(manifest.postgresVersion, 10),
    tables: Object.fromEntries(manifest.members.map(({ table, rows, digest }) => [table, [rows, digest] as const])),
  },
  sameAs: null,
});

/** The previous archive as this backup's, if it holds the same rows and is still whole. */
const unchanged = async (
  archive: Archive,
  { tenantId, backupId, previous }: ExportTenant,
  now: { readonly snapshot: Snapshot; readonly scope: Scope; readonly digests: Digests },
): Promise<ExportedTenant | undefined> => {
  if (previous?.schemaFingerprint !== now.scope.fingerprint || !sameDigests(previous.digests, now.digests))
    return undefined;
  try {
    const manifest = await archive.manifest(tenantId, previous.archiveId, previous.manifestSha256);
    await archive.inspect(manifest);
    return { ...exportedBy(manifest), backupId, takenAt: now.snapshot.takenAt, sameAs: previous.archiveId };
  } catch {
    // Whatever is wrong with the old archive: a new one is written, and that mends it.
    return undefined;
  }
};

const referenceLeaves = (scope: Scope, places: ReadonlyMap<string, Pick<Leaf, 'dumpId' | 'columns'>>): Leaf[] =>
  scope.reference.flatMap((path) => {
    const place = places.get(path);
    return place && place.columns.length > 0 ? [{ path, root: path, ...place }] : [];
  });

interface Prepared {
  readonly context: ExportContext;
  readonly leaves: readonly Leaf[];
}

const prepare = async (
  leader: Client,
  snapshot: Snapshot,
  request: ExportRequest,
  algorithm: DigestAlgorithm,
): Promise<Prepared> => {
  const scope = await readScope(leader);
  const paths = [...scope.tables.flatMap(leavesOf), ...scope.reference];
  const columns = await readColumns(leader, paths);
  const toc = await request.toc?.(scope.fingerprint);
  // A partitioned reference table has no rows of its own and is left out of the dump.
  const known = paths.filter((path) => columns.has(path));
  const { fits, places } = placeInDump(known, columns, toc?.entries);
  const reference: ReferenceRows | undefined = await writeReference(
    leader,
    request.archive.objects,
    referenceLeaves(scope, places),
    algorithm,
  );
  const context = { snapshot, scope, isolation: request.isolation, tocKey: fits ? toc?.key : undefined, reference };
  return { context, leaves: leavesOfScope(scope, places) };
};

const explain = (error: unknown): string => (error instanceof Error ? error.message : String(error));

/**
 * Writes one archive for every tenant, all of them as of one moment, and answers the tenants that failed and why. Tenants
 * are read by several connections, largest first; compression and upload of one overlap with reading the next. What is held
 * in memory at a time is limited to 8 MiB of rows beside the tenants being read. Throws when the database goes away or
 * `signal` aborts; archives that were completed by then are whole.
 */
export const exportTenants = async (request: ExportRequest): Promise<FailedTenant[]> => {
  const { archive, tenants, connections = 2, algorithm = 'record-v1' } = request;
  const clients: Client[] = [];
  const connect = async (): Promise<Client> => {
    const client = await request.connect();
    clients.push(client);
    return client;
  };
  const failed: FailedTenant[] = [];
  try {
    const leader = await connect();
    const snapshot = await exportSnapshot(leader);
    const readers = await Promise.all(
      Array.from({ length: Math.max(1, Math.min(connections, tenants.length)) }, async () => {
        const client = await connect();
        await joinSnapshot(client, snapshot);
        return client;
      }),
    );
    const { context, leaves } = await prepare(leader, snapshot, request, algorithm);
    const shares = await digestTenants(
      readers,
      leaves,
      tenants.map(({ tenantId }) => tenantId),
      algorithm,
    );
    const size = (tenantId: string): number =>
      (shares.get(tenantId) ?? []).reduce((sum, share) => sum + share.estimate, 0);
    const queue = tenants.toSorted((a, b) => size(b.tenantId) - size(a.tenantId));
    const gate = openGate(8 * 1024 * 1024);
    const finishing = new Set<Promise<void>>();

    const settle = async ({ tenantId, backupId }: ExportTenant, work: () => Promise<void>): Promise<void> => {
      try {
        await work();
      } catch (error) {
        if (isConnectionLost(error) || request.signal?.aborted) throw error;
        failed.push({ tenantId, backupId, reason: explain(error) });
      }
    };
    const exportOne = async (client: Client, tenant: ExportTenant): Promise<void> => {
      const own: readonly Share[] = shares.get(tenant.tenantId) ?? [];
      const digests = digestsOf(own, algorithm, snapshot);
      const same = await unchanged(archive, tenant, { ...context, digests });
      if (same) return request.written(same);
      const { previous: _, ...owner } = tenant;
      const pending = await readTenant(client, { archive, context, algorithm, owner, shares: own });
      // At least 1 MiB each, so that at most 8 small tenants are on their way to S3 at a time.
      const weight = Math.max(pending.held, 1024 * 1024);
      await gate.enter(weight);
      const finish = settle(tenant, async () => request.written(exportedBy(await pending.finish()))).finally(() => {
        gate.leave(weight);
        finishing.delete(finish);
      });
      finishing.add(finish);
      finish.catch(() => undefined);
    };
    const readQueue = async (client: Client): Promise<void> => {
      for (let tenant = queue.shift(); tenant; tenant = queue.shift()) {
        const current = tenant;
        request.signal?.throwIfAborted();
        await settle(current, async () => {
          try {
            await exportOne(client, current);
          } catch (error) {
            // An error of one tenant's rows aborts the reader's transaction: the next tenant needs a new one.
            if (!isConnectionLost(error)) {
              await client.query('ROLLBACK');
              await joinSnapshot(client, snapshot);
            }
            throw error;
          }
        });
      }
    };
    try {
      await Promise.all(readers.map(readQueue));
    } finally {
      await Promise.all(finishing);
    }
    return failed;
  } finally {
    await Promise.all(clients.map((client) => client.end().catch(() => undefined)));
  }
};
