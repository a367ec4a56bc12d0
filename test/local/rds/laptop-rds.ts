import { chmod, rm } from 'node:fs/promises';
import {
  CreateDBInstanceCommand,
  type CreateDBInstanceCommandInput,
  type DBInstance,
  DescribeDBInstancesCommand,
  RDSClient,
} from '@aws-sdk/client-rds';
import pg from 'pg';
import { onTestFinished, vi } from 'vitest';
import { createRdsService, type RdsOptions } from '../../../local/services/rds.ts';
import { accountId, region } from '../gateway/account.ts';
import { openEndpoint, temporary } from '../gateway/endpoint.ts';

export const master = { username: 'tenantry_owner', password: 'correct-horse-battery-staple' };

/** Ships the log at every look, so that a test does not wait a minute for a commit to become restorable. */
export const fast = { busy: 400, idle: 1_000, looked: 100 };

export const settings = { fsync: 'off', synchronous_commit: 'off', full_page_writes: 'off', shared_buffers: '16MB' };

/** A directory that PostgreSQL's account may pass through. */
export const rdsDirectory = async (): Promise<string> => {
  const directory = await temporary('rds');
  await chmod(directory, 0o711);
  return directory;
};

/** A small instance without backups, unless told otherwise. */
export const instanceOf = (id: string, more: Partial<CreateDBInstanceCommandInput> = {}): CreateDBInstanceCommand =>
  new CreateDBInstanceCommand({
    DBInstanceIdentifier: id,
    DBInstanceClass: 'db.t4g.micro',
    Engine: 'postgres',
    AllocatedStorage: 20,
    MasterUsername: master.username,
    MasterUserPassword: master.password,
    BackupRetentionPeriod: 0,
    ...more,
  });

const describeAt = async (client: RDSClient, id: string): Promise<DBInstance> =>
  (await client.send(new DescribeDBInstancesCommand({ DBInstanceIdentifier: id }))).DBInstances![0]!;

/** RDS behind a real gateway, and the unmodified SDK client. `close` ends a life; the directory may be opened again. */
export const openRds = async (options: Partial<RdsOptions> = {}) => {
  const directory = options.directory ?? (await rdsDirectory());
  const said: string[] = [];
  const service = createRdsService({
    directory,
    region,
    accountId,
    settings,
    times: fast,
    log: (line) => said.push(line),
    ...options,
  });
  await service.start();
  const endpoint = await openEndpoint(() => [service]);
  // The servers end before their directory is removed: finishers run last to first.
  onTestFinished(async () => {
    await service.close();
    await rm(directory, { recursive: true, force: true, maxRetries: 3 });
  });
  const client = new RDSClient(endpoint.config);
  const describe = (id: string): Promise<DBInstance> => describeAt(client, id);
  const create = (id: string, more: Partial<CreateDBInstanceCommandInput> = {}) => client.send(instanceOf(id, more));
  return { ...endpoint, directory, service, client, describe, create, said };
};

export type LaptopRds = Awaited<ReturnType<typeof openRds>>;

const eventually = <Answer>(what: string, ask: () => Promise<Answer | undefined>): Promise<Answer> =>
  vi.waitFor(
    async () => {
      const answer = await ask();
      if (answer === undefined) throw new Error(`not in time: ${what}`);
      return answer;
    },
    { timeout: 50_000, interval: 50 },
  );

/** Resolves with the instance when it has the status. */
export const reachesAt = (client: RDSClient, id: string, status: string, said: readonly string[] = []) =>
  eventually(`${id} is ${status}; ${said.join('; ')}`, async () => {
    const found = await describeAt(client, id);
    return found.DBInstanceStatus === status ? found : undefined;
  });

export const reaches = (rds: LaptopRds, id: string, status: string): Promise<DBInstance> =>
  reachesAt(rds.client, id, status, rds.said);

/** Resolves with the instance when it can be restored to `moment`. */
export const restorable = (rds: LaptopRds, id: string, moment: Date): Promise<DBInstance> =>
  eventually(`${id} is restorable to ${moment.toISOString()}; ${rds.said.join('; ')}`, async () => {
    const found = await rds.describe(id);
    return found.LatestRestorableTime && found.LatestRestorableTime >= moment ? found : undefined;
  });

/** One query as the master user, unless told otherwise. */
export const query = async (
  { Endpoint }: DBInstance,
  text: string,
  login: { username: string; password: string } = master,
  database = 'postgres',
): Promise<Record<string, unknown>[]> => {
  const client = new pg.Client({
    host: Endpoint!.Address!,
    port: Endpoint!.Port!,
    user: login.username,
    password: login.password,
    database,
  });
  client.on('error', () => undefined);
  await client.connect();
  try {
    return (await client.query<Record<string, unknown>>(text)).rows;
  } finally {
    await client.end();
  }
};

export const refusal = (work: Promise<unknown>): Promise<Error> =>
  work.then(
    () => Promise.reject(new Error('it succeeded')),
    (error: Error) => error,
  );
