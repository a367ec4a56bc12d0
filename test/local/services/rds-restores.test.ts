import { existsSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import {
  CreateDBSnapshotCommand,
  DBSnapshotAlreadyExistsFault,
  DBSnapshotNotFoundFault,
  DeleteDBInstanceCommand,
  DeleteDBSnapshotCommand,
  DescribeDBSnapshotsCommand,
  InvalidDBSnapshotStateFault,
  ModifyDBInstanceCommand,
  PointInTimeRestoreNotEnabledFault,
  RestoreDBInstanceFromDBSnapshotCommand,
  RestoreDBInstanceToPointInTimeCommand,
  waitUntilDBInstanceDeleted,
  waitUntilDBSnapshotAvailable,
} from '@aws-sdk/client-rds';
import { expect, test } from 'vitest';
import { openRds, query, reaches, refusal, restorable } from '../rds/laptop-rds.ts';

const waiting = { maxWaitTime: 60, minDelay: 0.05, maxDelay: 0.2 };

test('a row that was deleted after the moment comes back, in a new instance, and the original stays as it is', async () => {
  const rds = await openRds();
  const { client } = rds;
  const source = { SourceDBInstanceIdentifier: 'acme' };
  await rds.create('acme', { BackupRetentionPeriod: 7 });
  const acme = await reaches(rds, 'acme', 'available');
  const { DBSnapshots: automated } = await client.send(
    new DescribeDBSnapshotsCommand({ DBInstanceIdentifier: 'acme', SnapshotType: 'automated' }),
  );
  expect(automated).toEqual([expect.objectContaining({ Status: 'available', PercentProgress: 100 })]);
  expect(automated![0]!.DBSnapshotIdentifier).toMatch(/^rds:acme-\d{4}-/);
  const oldest = automated![0]!.SnapshotCreateTime!;
  await query(acme, `CREATE TABLE notes (body text); INSERT INTO notes VALUES ('kept'), ('lost')`);
  const [before] = await query(acme, 'SELECT clock_timestamp() AS at');
  const moment = before!.at as Date;
  // A commit in the same millisecond would lie on neither side of the moment.
  await query(acme, `SELECT pg_sleep(0.005)`);
  await query(acme, `DELETE FROM notes WHERE body = 'lost'; INSERT INTO notes VALUES ('newer')`);
  await query(acme, 'CREATE DATABASE later');

  const ahead = new Date(Date.now() + 60_000);
  expect(
    await refusal(
      client.send(
        new RestoreDBInstanceToPointInTimeCommand({ ...source, TargetDBInstanceIdentifier: 'x', RestoreTime: ahead }),
      ),
    ),
  ).toMatchObject({ name: 'InvalidParameterValue', message: expect.stringContaining('later than') });
  const early = new Date(oldest.getTime() - 60_000);
  expect(
    await refusal(
      client.send(
        new RestoreDBInstanceToPointInTimeCommand({ ...source, TargetDBInstanceIdentifier: 'x', RestoreTime: early }),
      ),
    ),
  ).toMatchObject({ name: 'InvalidParameterValue', message: expect.stringContaining('earlier than') });

  await restorable(rds, 'acme', moment);
  await client.send(
    new RestoreDBInstanceToPointInTimeCommand({
      ...source,
      TargetDBInstanceIdentifier: 'acme-then',
      RestoreTime: moment,
      Tags: [{ Key: 'tenant', Value: 'acme' }],
    }),
  );
  const then = await reaches(rds, 'acme-then', 'available');
  expect(then).toMatchObject({ TagList: [{ Key: 'tenant', Value: 'acme' }], DeletionProtection: false });
  expect(then.Endpoint).not.toEqual(acme.Endpoint);
  expect(await query(then, 'SELECT body FROM notes ORDER BY body')).toEqual([{ body: 'kept' }, { body: 'lost' }]);
  expect(await query(then, `SELECT FROM pg_database WHERE datname = 'later'`)).toEqual([]);
  // It is a server of its own: written to, and restorable in turn.
  await query(then, `INSERT INTO notes VALUES ('branch')`);
  const [branched] = await query(then, 'SELECT clock_timestamp() AS at, pg_is_in_recovery() AS recovering');
  expect(branched!.recovering).toBe(false);
  await restorable(rds, 'acme-then', branched!.at as Date);
  expect(await query(acme, 'SELECT body FROM notes ORDER BY body')).toEqual([{ body: 'kept' }, { body: 'newer' }]);

  await client.send(
    new RestoreDBInstanceToPointInTimeCommand({
      SourceDBInstanceIdentifier: 'acme-then',
      TargetDBInstanceIdentifier: 'acme-again',
      UseLatestRestorableTime: true,
    }),
  );
  const again = await reaches(rds, 'acme-again', 'available');
  expect(await query(again, `SELECT FROM notes WHERE body = 'branch'`)).toHaveLength(1);
});

test('a final snapshot outlives its instance, and brings it back; a snapshot is consistent under writes', async () => {
  const rds = await openRds();
  const { client } = rds;
  await rds.create('acme');
  const acme = await reaches(rds, 'acme', 'available');
  await query(acme, 'CREATE TABLE pairs (a int PRIMARY KEY, b int NOT NULL)');
  let writing = true;
  let rounds = 0;
  const writer = (async () => {
    for (; writing; rounds += 1) await query(acme, `INSERT INTO pairs VALUES (${rounds}, ${-rounds})`);
  })();
  const named = { DBSnapshotIdentifier: 'acme-1' };
  const take = new CreateDBSnapshotCommand({ ...named, DBInstanceIdentifier: 'acme' });
  expect((await client.send(take)).DBSnapshot).toMatchObject({ Status: 'creating', SnapshotType: 'manual' });
  expect(await refusal(client.send(new DeleteDBSnapshotCommand(named)))).toBeInstanceOf(InvalidDBSnapshotStateFault);
  await waitUntilDBSnapshotAvailable({ client, ...waiting }, named);
  writing = false;
  await writer;
  await reaches(rds, 'acme', 'available');
  expect(await refusal(client.send(take))).toBeInstanceOf(DBSnapshotAlreadyExistsFault);
  expect(
    await refusal(
      client.send(
        new RestoreDBInstanceToPointInTimeCommand({
          SourceDBInstanceIdentifier: 'acme',
          TargetDBInstanceIdentifier: 'x',
          UseLatestRestorableTime: true,
        }),
      ),
    ),
  ).toBeInstanceOf(PointInTimeRestoreNotEnabledFault);

  await query(acme, 'INSERT INTO pairs VALUES (1000000, 0)');
  await client.send(new DeleteDBInstanceCommand({ DBInstanceIdentifier: 'acme', FinalDBSnapshotIdentifier: 'last' }));
  await waitUntilDBInstanceDeleted({ client, ...waiting }, { DBInstanceIdentifier: 'acme' });
  expect(readdirSync(join(rds.directory, 'instances'))).toEqual([]);
  const restore = (id: string, DBSnapshotIdentifier: string) =>
    client.send(new RestoreDBInstanceFromDBSnapshotCommand({ DBInstanceIdentifier: id, DBSnapshotIdentifier }));
  expect(await refusal(restore('acme', 'nope'))).toBeInstanceOf(DBSnapshotNotFoundFault);
  await Promise.all([restore('acme', 'last'), restore('earlier', 'acme-1')]);
  const back = await reaches(rds, 'acme', 'available');
  expect(await query(back, 'SELECT count(*)::int AS n, max(a)::int AS newest FROM pairs')).toEqual([
    { n: rounds + 1, newest: 1_000_000 },
  ]);
  const earlier = await reaches(rds, 'earlier', 'available');
  const [pairs] = await query(
    earlier,
    'SELECT count(*)::int AS n, coalesce(max(a), -1)::int AS newest, bool_and(b = -a) AS whole FROM pairs',
  );
  expect(pairs).toMatchObject({ newest: (pairs!.n as number) - 1 });
  expect(pairs!.whole).not.toBe(false);

  await client.send(new DeleteDBSnapshotCommand(named));
  expect(existsSync(join(rds.directory, 'snapshots', 'manual', 'acme-1'))).toBe(false);
  const { DBSnapshots } = await client.send(new DescribeDBSnapshotsCommand({}));
  expect(DBSnapshots?.map(({ DBSnapshotIdentifier: id }) => id)).toEqual(['last']);
});

test('backups are switched off and on with a restart, and what they kept goes', async () => {
  const rds = await openRds();
  const one = { DBInstanceIdentifier: 'acme', ApplyImmediately: true };
  await rds.create('acme', { BackupRetentionPeriod: 1 });
  const acme = await reaches(rds, 'acme', 'available');
  expect(acme.LatestRestorableTime).toBeInstanceOf(Date);
  await rds.client.send(new ModifyDBInstanceCommand({ ...one, BackupRetentionPeriod: 0 }));
  const without = await reaches(rds, 'acme', 'available');
  expect(without.LatestRestorableTime).toBeUndefined();
  expect(await query(without, 'SHOW archive_mode')).toEqual([{ archive_mode: 'off' }]);
  expect((await rds.client.send(new DescribeDBSnapshotsCommand({}))).DBSnapshots).toEqual([]);
  await rds.client.send(new ModifyDBInstanceCommand({ ...one, BackupRetentionPeriod: 2 }));
  await reaches(rds, 'acme', 'available');
  await restorable(rds, 'acme', new Date());
});
