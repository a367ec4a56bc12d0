import type { Readable } from 'node:stream';
import type { ClientBase } from 'pg';
import type { ArchiveMember, Manifest, ReferenceRows } from '../../domain/archive.ts';
import { contradictions } from '../../domain/drill.ts';
import { StepFailure } from '../../domain/errors.ts';
import { leavesOf, type Scope, tableName } from '../../domain/scope.ts';
import { readColumns } from '../catalog/read-columns.ts';
import { readScope } from '../catalog/read-scope.ts';
import { exactText } from '../dump/digest.ts';
import { identPath, literal } from '../postgres/identifier.ts';
import { clientSql } from '../postgres/sql.ts';
import { findBroken, refuseBroken } from '../restore/references.ts';
import { compare, damaged, load, memberColumns, type Scratch } from './member.ts';

/** The archive of one tenant, every byte of it checked against the manifest while it is read. */
export interface DrilledArchive {
  readonly tenantId: string;
  readonly manifest: Manifest;
  readonly openMember: (member: ArchiveMember) => Readable;
  readonly openReference: (reference: ReferenceRows, member: ArchiveMember) => Readable;
}

/** A scratch database in which archives of one schema version are tried one after another. */
export interface ScratchDrills {
  readonly scope: Scope;
  /**
   * Restores the archive, compares every table with its manifest, checks every foreign key, and takes all of it back.
   * Throws ArchiveDamaged, ForeignRows, BrokenReferences; anything else is not the archive's fault.
   */
  drill(archive: DrilledArchive, signal?: AbortSignal): Promise<void>;
}

/** What no archive may claim: tables that are not the tenant's, the same table twice, totals that its members do not have. */
const refuseContradictions = ({ scope }: Scratch, { manifest, tenantId }: DrilledArchive): void => {
  if (manifest.tenantId !== tenantId)
    throw new StepFailure(
      'ForeignRows',
      `backup ${manifest.backupId} is of tenant ${manifest.tenantId}, not of ${tenantId}`,
    );
  const roots = new Map(scope.tables.flatMap((table) => leavesOf(table).map((leaf) => [leaf, tableName(table)])));
  const strange = manifest.members.find(({ table, root }) => roots.get(table) !== root);
  if (strange) throw damaged(manifest, `${strange.table} is no tenant table of its schema version`);
  const twice = manifest.members.find(
    ({ table }, place) => manifest.members.findIndex((one) => one.table === table) !== place,
  );
  if (twice) throw damaged(manifest, `its manifest names ${twice.table} twice`);
  const contradicted = contradictions(manifest);
  if (contradicted.length > 0)
    throw damaged(manifest, `its manifest contradicts itself about ${contradicted.join(', ')}`);
};

/** Values in an archive are text of these settings. */
const begin = async ({ client }: Scratch, tenantId: string): Promise<void> => {
  await client.query(
    `BEGIN; SET LOCAL session_replication_role = replica; ${exactText}; SET LOCAL search_path TO DEFAULT; SELECT set_config('app.tenant_id', ${literal(tenantId)}, true)`,
  );
};

/** Takes back everything; a connection that is lost has done so itself. */
const takeBack = async ({ client }: Scratch): Promise<void> => {
  await client.query('ROLLBACK').catch(() => undefined);
};

/** Foreign keys into reference tables count where the archive has their rows; without them they prove nothing. */
const checkReferences = async ({ client, scope }: Scratch, { manifest, tenantId }: DrilledArchive): Promise<void> => {
  const tables = scope.tables.map(tableName);
  const there = new Set([...tables, ...(manifest.reference ? scope.reference : [])]);
  const filled = manifest.tables.filter(({ rows }) => rows > 0).map(({ table }) => table);
  const broken = await findBroken(client, {
    scope,
    tenantId,
    restored: tables,
    gaining: filled,
    losing: [],
    relation: (table) => (there.has(table) ? identPath(table) : undefined),
  });
  refuseBroken(broken);
};

/** Reference rows are the same for most archives of a slice: they stay until an archive has others. */
const openReferences = (scratch: Scratch) => {
  let current: string | undefined;
  const fill = async ({ manifest, openReference }: DrilledArchive, reference: ReferenceRows, signal?: AbortSignal) => {
    const strange = reference.members.find(({ table }) => !scratch.scope.reference.includes(table));
    if (strange) throw damaged(manifest, `${strange.table} is no reference table of its schema version`);
    await begin(scratch, '');
    try {
      for (const table of scratch.scope.reference) await scratch.client.query(`DELETE FROM ONLY ${identPath(table)}`);
      for (const member of reference.members)
        await load(scratch, manifest, member, openReference(reference, member), signal);
      await compare(scratch, manifest, reference.members);
      await scratch.client.query('COMMIT');
    } catch (error) {
      await takeBack(scratch);
      throw error;
    }
  };
  return async (archive: DrilledArchive, signal?: AbortSignal): Promise<void> => {
    const { reference } = archive.manifest;
    if (!reference || reference.key === current) return;
    current = undefined;
    await fill(archive, reference, signal);
    current = reference.key;
  };
};

/** `client` is logged in to a scratch database as a login that is no superuser; see `inScratch`. */
export const openScratchDrills = async (client: ClientBase): Promise<ScratchDrills> => {
  const scope = await readScope(client);
  const columns = await readColumns(client, [...scope.tables.flatMap(leavesOf), ...scope.reference]);
  const [version] = await clientSql(client).query<{ number: string }>(
    `SELECT current_setting('server_version_num') AS number`,
  );
  const scratch: Scratch = { client, scope, columns, major: Math.floor(Number(version?.number) / 10_000) };
  const fillReferences = openReferences(scratch);
  return {
    scope,
    drill: async (archive, signal) => {
      const { manifest, tenantId, openMember } = archive;
      refuseContradictions(scratch, archive);
      await fillReferences(archive, signal);
      await begin(scratch, tenantId);
      try {
        for (const member of manifest.members) {
          memberColumns(scratch, manifest, member);
          await load(scratch, manifest, member, openMember(member), signal);
        }
        await compare(scratch, manifest, manifest.members, tenantId);
        await checkReferences(scratch, archive);
      } finally {
        await takeBack(scratch);
      }
    },
  };
};
