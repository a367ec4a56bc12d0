/** One guard taken out of the product, and the tests that have to notice. */
export interface Mutant {
  readonly name: string;
  readonly file: string;
  /** Text that stands in the file exactly once, and what takes its place. */
  readonly find: string;
  readonly replace: string;
  readonly tests: readonly string[];
}

const moves = 'test/adapters/replication';
const objects = 'test/lambdas/restore/restore-objects.test.ts';

/** Each is a guard without which a move or a restore would look fine until somebody loses data. */
export const mutants: readonly Mutant[] = [
  {
    name: 'a writer above READ COMMITTED reads the fence of its old snapshot',
    file: 'adapters/pool/schema.ts',
    find: 'WHERE tenant_id = tenant FOR SHARE;',
    replace: 'WHERE tenant_id = tenant;',
    tests: [`${moves}/fence.test.ts`, 'test/adapters/restore/fence.test.ts'],
  },
  {
    name: 'the switch does not wait for its barrier',
    file: 'adapters/replication/switch.ts',
    find: '    awaitBarrier(to, move, epoch, plan.deadlineMs / 3),\n',
    replace: '',
    tests: [`${moves}/cut-over.test.ts`],
  },
  {
    name: 'leaves of partitioned tables have no policy',
    file: 'adapters/pool/schema.ts',
    find: 'IF NOT EXISTS (SELECT FROM pg_policy WHERE polrelid = target',
    replace: 'IF NOT facts.relispartition AND NOT EXISTS (SELECT FROM pg_policy WHERE polrelid = target',
    tests: ['test/journeys/isolation.test.ts'],
  },
  {
    name: 'the commit point does not compare what it sets',
    file: 'adapters/replication/fence.ts',
    find: "state = 'fenced' AND epoch = $2 AND deadline > clock_timestamp() AND fence <= $3",
    replace: '$2::bigint IS NOT NULL AND $3::bigint IS NOT NULL',
    tests: [`${moves}/fence.test.ts`],
  },
  {
    name: 'a table whose replica identity lacks the tenant is published',
    file: 'adapters/replication/preflight-schema.ts',
    find: 'identity.push(...relations.flatMap(identityFault)',
    replace: 'identity.push(...relations.slice(relations.length).flatMap(identityFault)',
    tests: [`${moves}/preflight.test.ts`],
  },
  {
    name: 'digests of a copy are not compared',
    file: 'adapters/replication/verify.ts',
    find: 'equal: a.rows === b.rows && a.digest === b.digest,',
    replace: 'equal: a.rows === b.rows,',
    tests: [`${moves}/way-back.test.ts`],
  },
  {
    name: 'an operation with an older fencing token goes on',
    file: 'adapters/replication/record.ts',
    find: 'if (row?.state && Number(row.fence) > fence) throw staleFence(tenantId, fence);',
    replace: '',
    tests: [`${moves}/abandon.test.ts`],
  },
  {
    name: 'a late attempt leaves the Kubernetes objects of a backup that has expired',
    file: 'lambdas/backup/export-workload.ts',
    find: "if (backup?.status !== 'sealed' || backup.objectsState !== 'archived')",
    replace: "if (backup?.objectsState !== 'archived')",
    tests: ['test/lambdas/backup/export-workload.test.ts'],
  },
  {
    name: 'the Kubernetes objects of a backup that expires stay',
    file: 'adapters/archive/archive.ts',
    find: 'remove: (tenantId, backupId) => objects.remove(archivePrefix(tenantId, backupId)),',
    replace: "remove: (tenantId, backupId) => objects.remove(archivePrefix(tenantId, backupId).concat('archive')),",
    tests: ['test/lambdas/retention/expire-objects.test.ts'],
  },
  {
    name: 'a restore does not compare what it staged with the manifest',
    file: 'adapters/restore/stage.ts',
    find: '  if (expected === found.digest) return',
    replace: '  if (expected !== undefined) return',
    tests: ['test/adapters/restore/stage.test.ts'],
  },
  {
    name: 'a digest is a sum over columns, in which two rows may exchange a value',
    file: 'adapters/dump/digest.ts',
    find: `    'record-v2': \`hashfloat8extended(\${record}::float8, 0)\`,`,
    replace: `    'record-v2': record,`,
    tests: ['test/adapters/dump/export.test.ts'],
  },
  {
    name: 'objects are set back without a way back',
    file: 'lambdas/restore/restore-objects.ts',
    find: '  await requireSafety(world, input, { cluster, namespace: restore.namespace });\n',
    replace: '',
    tests: [objects],
  },
  {
    name: 'a restore of objects forgets what its first attempt did',
    file: 'adapters/registry/restores.ts',
    find: 'objects_result = coalesce(objects_result, $4)',
    replace: 'objects_result = $4',
    tests: [objects],
  },
  {
    name: 'what others put into an object stays there',
    file: 'adapters/cluster/restore-objects.ts',
    find: "  for (const { object, as } of wishes) if (as === 'then') await trimTo(cluster, object);\n",
    replace: '',
    tests: ['test/adapters/cluster/restore-objects.test.ts'],
  },
  {
    name: 'pods keep what they had read before a restore',
    file: 'adapters/cluster/restore-objects.ts',
    find: '  if (first.restart || report.restart)',
    replace: '  if (report.restart)',
    tests: ['test/adapters/cluster/restore-objects.test.ts'],
  },
  {
    name: 'a restored ConfigMap sends the app to the database of then',
    file: 'domain/workload/wishes.ts',
    find: '{ ...(then.data as Fields), ...(today.data as Fields) }',
    replace: '{ ...(today.data as Fields), ...(then.data as Fields) }',
    tests: ['test/domain/workload/wishes.test.ts'],
  },
  {
    name: 'a legal hold forgets the Kubernetes objects of a backup without rows of its own',
    file: 'lambdas/operator-api/backups.ts',
    find: "id !== archiveId && objectsState === 'archived' ? id : undefined",
    replace: 'undefined',
    tests: ['test/lambdas/operator-api/backups.test.ts'],
  },
];
