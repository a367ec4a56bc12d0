import { afterAll, beforeAll, describe, expect, onTestFinished, test } from 'vitest';
import { packTar } from '../../../adapters/archive/tar.ts';
import { archivePrefix, type Manifest, manifestKey } from '../../../domain/archive.ts';
import { handler as sealBackup } from '../../../lambdas/backup/seal-backup.ts';
import { handler as drillRestore } from '../../../lambdas/drill/drill-restore.ts';
import { type RestoreLaptop, startRestoreLaptop } from './restore-laptop.ts';

let bench: RestoreLaptop;
const tenantId = 'acme';
let older = '';
let backupId = '';
let neighbour = '';
let live: Record<string, string>;
beforeAll(async () => {
  bench = await startRestoreLaptop();
  await bench.addTenant('globex');
  await bench.addTenant(tenantId);
  older = await bench.backUp(tenantId);
  await bench.as(tenantId, `UPDATE messages SET body = 'new ' || body; UPDATE reactions SET emoji = 'tada'`);
  backupId = await bench.backUp(tenantId);
  neighbour = await bench.backUp('globex');
  live = await bench.rows(tenantId);
});
afterAll(() => bench.stop());

const objects = () => bench.world.archive.objects;
const tarKey = (id: string, tenant: string): string => `${archivePrefix(tenant, id)}archive.tar`;

/** manifest.json as it lies in the bucket: an object of its own, or the first file of the tar (name at 0, octal size at 124). */
const readText = async (id: string, tenant: string = tenantId): Promise<string> => {
  const own = await objects().text(manifestKey(tenant, id));
  if (own !== undefined) return own;
  const tar = (await objects().bytes(tarKey(id, tenant)))!;
  expect(tar.toString('ascii', 0, 13)).toBe('manifest.json');
  return tar.toString('utf8', 512, 512 + Number.parseInt(tar.toString('ascii', 124, 135), 8));
};

/** Puts another text in the place of the backup's manifest; what follows it in the tar stays. */
const writeText = async (text: string): Promise<void> => {
  if ((await objects().text(manifestKey(tenantId, backupId))) !== undefined)
    return objects().put(manifestKey(tenantId, backupId), text);
  const tar = (await objects().bytes(tarKey(backupId, tenantId)))!;
  const size = Number.parseInt(tar.toString('ascii', 124, 135), 8);
  const { tar: head } = packTar([{ name: 'manifest.json', content: Buffer.from(text) }]);
  const rest = tar.subarray(512 + Math.ceil(size / 512) * 512);
  return objects().put(tarKey(backupId, tenantId), Buffer.concat([head.subarray(0, -1_024), rest]));
};

type Stored = Pick<Manifest, 'tenantId' | 'backupId' | 'members' | 'format'>;
const manifestOf = async (id: string, tenant: string = tenantId): Promise<Stored> =>
  JSON.parse(await readText(id, tenant)) as Stored;
const write = (manifest: object): Promise<void> => writeText(JSON.stringify(manifest));
const objectKey = async (id: string, tenant: string = tenantId): Promise<string> =>
  `${archivePrefix(tenant, id)}${(await manifestOf(id, tenant)).members[0]!.object}`;
const change = async (objectName: string, edit: (bytes: Buffer) => Buffer): Promise<void> =>
  objects().put(objectName, edit((await objects().bytes(objectName))!));
const memberOf = (manifest: Stored, table: string) => manifest.members.find((one) => one.table === `public.${table}`)!;

/** Puts the bytes of another member where those of `table` are: the object looks as whole as before. */
const overwrite = async (table: string, from: Buffer, note: { offset: number; length: number }): Promise<void> => {
  const { offset } = memberOf(await manifestOf(backupId), table);
  await change(await objectKey(backupId), (bytes) => {
    from.copy(bytes, offset, note.offset, note.offset + note.length);
    return bytes;
  });
};

const tampered: readonly (readonly [what: string, refusal: RegExp, tamper: () => Promise<void>])[] = [
  [
    'its manifest is that of another tenant',
    /^ArchiveDamaged: .* is the manifest of backup b-\w+ of tenant globex/,
    async () => write(await manifestOf(neighbour, 'globex')),
  ],
  [
    'its manifest is that of another tenant under its own name',
    /^ArchiveDamaged: .* was sealed with/,
    async () => write({ ...(await manifestOf(neighbour, 'globex')), tenantId, backupId }),
  ],
  [
    'its manifest is an older one of the tenant, replayed',
    /^ArchiveDamaged: .* is the manifest of backup b-/,
    async () => write(await manifestOf(older)),
  ],
  [
    'its manifest is an older one, replayed under its own id with the older objects',
    /^ArchiveDamaged: .* was sealed with/,
    async () => {
      const bytes = (await objects().bytes(await objectKey(older)))!;
      const replayed = { ...(await manifestOf(older)), backupId };
      await objects().put(`${archivePrefix(tenantId, backupId)}${replayed.members[0]!.object}`, bytes);
      await write(replayed);
    },
  ],
  [
    'its manifest points to the member of another table',
    /^ArchiveDamaged: .* was sealed with/,
    async () => {
      const manifest = await manifestOf(backupId);
      const { table, root, columns } = memberOf(manifest, 'users');
      const members = manifest.members.map((one) =>
        one.table === 'public.messages' ? { ...memberOf(manifest, 'users'), table: one.table, root: one.root } : one,
      );
      expect([table, root, columns.length > 0]).toEqual(['public.users', 'public.users', true]);
      await write({ ...manifest, members });
    },
  ],
  [
    'its manifest is one byte longer',
    /^ArchiveDamaged: .* was sealed with/,
    async () => writeText(`${await readText(backupId)} `),
  ],
  [
    'its manifest is missing',
    /^BackupNotFound: .* has no manifest at/,
    async () => {
      await objects().remove(manifestKey(tenantId, backupId));
      await objects().remove(tarKey(backupId, tenantId));
    },
  ],
  [
    'its format is one that nobody knows',
    /^ArchiveDamaged: .* is no manifest/,
    async () => write({ ...(await manifestOf(backupId)), format: 'tenantry-archive/9' }),
  ],
  [
    'its object is cut off',
    /^ArchiveDamaged: /,
    async () => {
      const { offset, length } = (await manifestOf(backupId)).members.at(-1)!;
      await change(await objectKey(backupId), (bytes) => bytes.subarray(0, offset + length - 1));
    },
  ],
  [
    'a bit of a member is flipped',
    /^ArchiveDamaged: /,
    async () => {
      const { offset, length } = memberOf(await manifestOf(backupId), 'messages');
      await change(await objectKey(backupId), (bytes) => {
        bytes.writeUInt8(bytes.readUInt8(offset + (length >> 1)) ^ 1, offset + (length >> 1));
        return bytes;
      });
    },
  ],
  [
    'a member is that of another table',
    /^ArchiveDamaged: .*\(public\.messages\)/,
    async () => {
      const bytes = (await objects().bytes(await objectKey(backupId)))!;
      await overwrite('messages', bytes, memberOf(await manifestOf(backupId), 'users'));
    },
  ],
  [
    'a member is that of another tenant',
    /^ArchiveDamaged: .*\(public\.users\)/,
    async () => {
      const bytes = (await objects().bytes(await objectKey(neighbour, 'globex')))!;
      await overwrite('users', bytes, memberOf(await manifestOf(neighbour, 'globex'), 'users'));
    },
  ],
];

describe('an archive is refused by a restore and fails its drill when', () => {
  test.each(tampered)('%s', async (what, refusal, tamper) => {
    const kept = new Map<string, Buffer>();
    for await (const one of objects().list(archivePrefix(tenantId, backupId)))
      kept.set(one.key, (await objects().bytes(one.key))!);
    const mend = async (): Promise<void> => {
      for (const [name, bytes] of kept) await objects().put(name, bytes);
    };
    onTestFinished(mend);
    await tamper();
    const operation = `restore-${what.replaceAll(/\W+/g, '-')}`;
    const refused = await bench.prepare(operation, { tenantId, backupId }).then(
      () => 'it was staged',
      (error: Error) => `${error.name}: ${error.message}`,
    );
    await bench.world.registry.leases.releaseAll(operation);
    expect(refused).toMatch(refusal);
    expect(await bench.rows(tenantId)).toEqual(live);
    const backup = (await bench.world.registry.backups.get(backupId))!;
    const slice = { cell: 'eu-1', schemaFingerprint: backup.schemaFingerprint!, backups: [{ tenantId, backupId }] };
    expect(await drillRestore.run({ operation: `drill-${operation}`, ...slice }, bench.world)).toEqual({
      passed: 0,
      failed: 1,
      refused: 0,
    });
    expect((await bench.world.registry.backups.get(backupId))!.drillReason).toMatch(refusal);
    // As it was, it is good: what was refused is the tampering and nothing else.
    await mend();
    const mended = await drillRestore.run({ operation: `mended-${operation}`, ...slice }, bench.world);
    expect(mended).toMatchObject({ passed: 1 });
  });
});

test('a backup is not sealed on an archive that was bound to another manifest', async () => {
  const { registry } = bench.world;
  const operation = `point-${tenantId}`;
  await registry.operations.open({ id: operation, kind: 'back-up-tenant', tenantId, executionArn: 'arn', input: {} });
  const known = (await registry.backups.get(backupId))!;
  await registry.backups.open({ id: 'b-point', tenantId, operationId: operation, kind: 'manual', cell: 'eu-1' });
  await registry.backups.recordDump('b-point', {
    takenAt: new Date().toISOString(),
    rows: known.rows!,
    bytes: known.bytes!,
    schemaFingerprint: known.schemaFingerprint!,
    digests: known.digests!,
    sameAs: backupId,
  });
  await writeText(`${await readText(backupId)} `);
  await expect(
    sealBackup.run({ operation, backups: [{ tenantId, backupId: 'b-point' }], closes: true }, bench.world),
  ).rejects.toMatchObject({ name: 'BackupIncomplete', message: expect.stringMatching(/bound to another manifest/) });
});
