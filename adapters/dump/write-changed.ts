import type { ClientBase } from 'pg';
import type { Archive } from '../archive/archive.ts';
import { isConnectionLost } from '../postgres/sql.ts';
import type { DigestAlgorithm } from './digest.ts';
import { openGate } from './gate.ts';
import { readGroup, type TenantText } from './group.ts';
import type { ExportContext } from './manifest.ts';
import { planWork, type SizedTenant, type Work } from './queue.ts';
import { joinSnapshot } from './snapshot.ts';
import { type ExportedTenant, type ExportTenant, exportedBy } from './unchanged.ts';
import {
  heldBytes,
  readTenant,
  type StreamedTenant,
  streamTenant,
  type WriteRequest,
  writePacked,
} from './write-archive.ts';

export interface WriteChangedRequest {
  readonly archive: Archive;
  readonly context: ExportContext;
  readonly algorithm: DigestAlgorithm;
  readonly changed: readonly SizedTenant<ExportTenant>[];
  readonly written: (exported: ExportedTenant) => Promise<void>;
  /** Runs work of one tenant: a failure of its own is kept and does not stop the others. */
  readonly settle: (tenant: ExportTenant, work: () => Promise<void>) => Promise<void>;
  readonly signal?: AbortSignal | undefined;
}

type Tenant = SizedTenant<ExportTenant>;
type Table = Extract<Work<ExportTenant>, { kind: 'table' }>;

/** Bytes of rows on their way to S3. */
const underWay = 8 * 1024 * 1024;

/** What is on its way to S3 weighs at least this, so that at most 32 tenants are at a time. */
const leastWeight = 256 * 1024;

/** Completes archives of rows that are in memory beside the reading of the next ones, so many at a time as may be held. */
const openFinisher = (request: WriteChangedRequest, writeRequest: (tenant: Tenant) => WriteRequest) => {
  const gate = openGate(underWay);
  const open = new Set<Promise<void>>();
  return {
    add: async (tenant: Tenant, texts: TenantText): Promise<void> => {
      const held = texts.flat().reduce((sum, chunk) => sum + chunk.length, 0);
      const weight = Math.max(held, leastWeight);
      await gate.enter(weight);
      const finish = request
        .settle(tenant.owner, async () => request.written(exportedBy(await writePacked(writeRequest(tenant), texts))))
        .finally(() => {
          gate.leave(weight);
          open.delete(finish);
        });
      open.add(finish);
      finish.catch(() => undefined);
    },
    done: () => Promise.all(open),
  };
};

/**
 * The part of an export that comes after the digest pass: the readers, all in the export's snapshot, take from one queue and
 * write an archive for each tenant. Rejects when the database goes away or the signal aborts.
 */
export const writeChanged = async (readers: readonly ClientBase[], request: WriteChangedRequest): Promise<void> => {
  const { archive, context, algorithm, changed, settle, written, signal } = request;
  const writeRequest = ({ owner: { previous: _, ...owner }, shares }: Tenant): WriteRequest => ({
    archive,
    context,
    algorithm,
    owner,
    shares,
  });
  const stream = (tenant: Tenant): StreamedTenant => streamTenant(writeRequest(tenant));
  const queue = planWork(changed, stream);
  const finisher = openFinisher(request, writeRequest);
  const progress = new Map<StreamedTenant, { left: number; broken: boolean }>();

  /** An error of the rows aborts the reader's transaction: what it reads next needs a new one. */
  const reading = async <Result>(client: ClientBase, work: () => Promise<Result>): Promise<Result> => {
    try {
      return await work();
    } catch (error) {
      if (!isConnectionLost(error)) {
        await client.query('ROLLBACK');
        await joinSnapshot(client, context.snapshot);
      }
      throw error;
    }
  };
  const finishStreamed = async (streamed: StreamedTenant): Promise<void> =>
    written(exportedBy(await streamed.finish()));
  const orDiscard = async (streamed: StreamedTenant, work: () => Promise<void>): Promise<void> => {
    try {
      await work();
    } catch (error) {
      await streamed.discard().catch(() => undefined);
      throw error;
    }
  };
  /** One table of a large tenant; whoever ends the last one completes the archive, or clears up when one of them failed. */
  const doTable = async (client: ClientBase, { owner, streamed, share }: Table): Promise<void> => {
    const state = progress.get(streamed) ?? { left: streamed.shares.length, broken: false };
    progress.set(streamed, state);
    if (!state.broken)
      await settle(owner, async () => {
        try {
          await reading(client, () => streamed.copy(client, share));
        } catch (error) {
          if (state.broken) return;
          state.broken = true;
          throw error;
        }
      });
    state.left -= 1;
    if (state.left > 0) return;
    if (state.broken) await streamed.discard().catch(() => undefined);
    else await settle(owner, () => orDiscard(streamed, () => finishStreamed(streamed)));
  };
  const doTenant = (client: ClientBase, tenant: Tenant): Promise<void> =>
    settle(tenant.owner, async () => {
      const texts = await reading(client, () => readTenant(client, writeRequest(tenant)));
      if (texts) return finisher.add(tenant, texts);
      const streamed = stream(tenant);
      await orDiscard(streamed, async () => {
        for (const share of streamed.shares) await reading(client, () => streamed.copy(client, share));
        await finishStreamed(streamed);
      });
    });
  /** A group that cannot be read together is read one by one: then the tenant that is at fault fails alone. */
  const doTenants = async (client: ClientBase, tenants: readonly Tenant[]): Promise<void> => {
    if (tenants.length > 1)
      try {
        const texts = await reading(client, () => readGroup(client, { members: tenants }, heldBytes));
        for (const [place, tenant] of tenants.entries()) await finisher.add(tenant, texts[place] ?? []);
        return;
      } catch (error) {
        if (isConnectionLost(error) || signal?.aborted) throw error;
      }
    for (const tenant of tenants) await doTenant(client, tenant);
  };
  const readQueue = async (client: ClientBase): Promise<void> => {
    for (let work = queue.shift(); work; work = queue.shift()) {
      signal?.throwIfAborted();
      if (work.kind === 'table') await doTable(client, work);
      else await doTenants(client, work.tenants);
    }
  };
  try {
    await Promise.all(readers.map(readQueue));
  } finally {
    await finisher.done();
  }
};
