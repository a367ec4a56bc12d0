import type { ClientBase } from 'pg';
import type { Manifest, ReferenceRows, Toc } from '../../domain/archive.ts';
import { schemaLinesKey } from '../../domain/archive.ts';
import { leavesOf, type Scope } from '../../domain/scope.ts';
import type { Archive } from '../archive/archive.ts';
import { readColumns, type StoredColumn } from '../catalog/read-columns.ts';
import { readScope } from '../catalog/read-scope.ts';
import { isConnectionLost } from '../postgres/sql.ts';
import { type DigestAlgorithm, quickDigest } from './digest.ts';
import { openGate } from './gate.ts';
import type { ExportContext } from './manifest.ts';
import {
  type DigestedShare,
  digestsOf,
  digestTenants,
  type Leaf,
  leavesOfScope,
  placeInDump,
  weighLeaves,
} from './plan.ts';
import type { SizedTenant } from './queue.ts';
import { writeReference } from './reference.ts';
import { exportSnapshot, joinSnapshot, type Snapshot } from './snapshot.ts';
import { type ExportedTenant, type ExportTenant, isUnchanged, pointToPrevious } from './unchanged.ts';
import { writeChanged } from './write-changed.ts';

export type { ExportedTenant, ExportTenant, PreviousArchive } from './unchanged.ts';

type Client = ClientBase & { end(): Promise<void> };

export interface ExportRequest {
  /** Opens a client that sees all tenants and may write nothing; the export ends it. */
  readonly connect: () => Promise<Client>;
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

export interface FailedTenant {
  readonly tenantId: string;
  readonly backupId: string;
  readonly reason: string;
}

const referenceLeaves = (scope: Scope, places: ReadonlyMap<string, Pick<Leaf, 'dumpId' | 'columns'>>): Leaf[] =>
  scope.reference.flatMap((path) => {
    const place = places.get(path);
    return place && place.columns.length > 0 ? [{ path, root: path, ...place }] : [];
  });

type Columns = ReadonlyMap<string, readonly StoredColumn[]>;

const prepare = async (
  leader: Client,
  { archive, toc: findToc, isolation }: ExportRequest,
  {
    snapshot,
    scope,
    columns,
    algorithm,
  }: { snapshot: Snapshot; scope: Scope; columns: Columns; algorithm: DigestAlgorithm },
): Promise<{ context: ExportContext; leaves: ReadonlyMap<string, Leaf> }> => {
  const { fingerprint, lines } = scope;
  await archive.objects.putNew(schemaLinesKey(fingerprint), JSON.stringify(lines), 'application/json');
  const toc = await findToc?.(fingerprint);
  // A partitioned reference table has no rows of its own and is left out of the dump.
  const known = [...scope.tables.flatMap(leavesOf), ...scope.reference].filter((path) => columns.has(path));
  const { fits, places } = placeInDump(known, columns, toc?.entries);
  const reference: ReferenceRows | undefined = await writeReference(
    leader,
    archive.objects,
    referenceLeaves(scope, places),
    algorithm,
  );
  return {
    context: { snapshot, scope, isolation, tocKey: fits ? toc?.key : undefined, reference },
    leaves: new Map(leavesOfScope(scope, places).map((leaf) => [leaf.path, leaf])),
  };
};

const explain = (error: unknown): string => (error instanceof Error ? error.message : String(error));

/**
 * Writes one archive for every tenant, all of them as of one moment, and answers the tenants that failed and why. One digest
 * pass tells who has changed; the others point to their last archive. Small tenants are read together, the tables of large ones
 * side by side; compression and upload overlap with reading. What is held in memory is limited to 16 MiB of rows for each reader
 * and 8 MiB on the way to S3. Throws when the database goes away or `signal` aborts; archives that were completed by then are
 * whole.
 */
export const exportTenants = async (request: ExportRequest): Promise<FailedTenant[]> => {
  const { archive, tenants, connections = 2, algorithm = quickDigest } = request;
  const clients: Client[] = [];
  const connect = async (): Promise<Client> => {
    const client = await request.connect();
    clients.push(client);
    return client;
  };
  const failed: FailedTenant[] = [];
  const settle = async ({ tenantId, backupId }: ExportTenant, work: () => Promise<void>): Promise<void> => {
    try {
      await work();
    } catch (error) {
      if (isConnectionLost(error) || request.signal?.aborted) throw error;
      failed.push({ tenantId, backupId, reason: explain(error) });
    }
  };
  try {
    const leader = await connect();
    const snapshot = await exportSnapshot(leader);
    const joinAll = Promise.all(
      Array.from({ length: Math.max(1, connections) }, async () => {
        const client = await connect();
        await joinSnapshot(client, snapshot);
        return client;
      }),
    );
    joinAll.catch(() => undefined);
    const scope = await readScope(leader);
    const columns = await readColumns(leader, [...scope.tables.flatMap(leavesOf), ...scope.reference]);
    const paths = scope.tables.flatMap(leavesOf).filter((path) => columns.has(path));
    const weighed = await weighLeaves(leader, columns, paths);
    const readers = await joinAll;
    const ids = tenants.map(({ tenantId }) => tenantId);
    const [{ context, leaves }, digested] = await Promise.all([
      prepare(leader, request, { snapshot, scope, columns, algorithm }),
      digestTenants(readers, weighed, ids, algorithm),
    ]);
    request.signal?.throwIfAborted();
    const sized = (owner: ExportTenant, own: readonly DigestedShare[]): SizedTenant<ExportTenant> => ({
      owner,
      shares: own.flatMap(({ path, ...share }) => {
        const leaf = leaves.get(path);
        return leaf ? [{ leaf, ...share }] : [];
      }),
      estimate: own.reduce((sum, share) => sum + share.estimate, 0),
    });
    const changed: SizedTenant<ExportTenant>[] = [];
    const gate = openGate(16);
    await Promise.all(
      tenants.map(async (tenant) => {
        const own = digested.get(tenant.tenantId) ?? [];
        const now = { schemaFingerprint: scope.fingerprint, digests: digestsOf(own, algorithm, snapshot) };
        if (!isUnchanged(tenant, now)) return void changed.push(sized(tenant, own));
        await gate.enter(1);
        const same = await pointToPrevious(archive, tenant, snapshot.takenAt).finally(() => gate.leave(1));
        if (same) await settle(tenant, () => request.written(same));
        else changed.push(sized(tenant, own));
      }),
    );
    const { written, signal } = request;
    await writeChanged(readers, { archive, context, algorithm, changed, written, settle, signal });
    return failed;
  } finally {
    await Promise.all(clients.map((client) => client.end().catch(() => undefined)));
  }
};
