import * as client from '@aws-sdk/client-rds';
import type { SchemaService } from '../gateway/service.ts';
import { removeSnapshot } from '../rds/backups.ts';
import type { RdsContext } from '../rds/context.ts';
import { instanceOperations } from '../rds/instance-operations.ts';
import { openJobs } from '../rds/jobs.ts';
import { parameterGroupOperations } from '../rds/parameter-groups.ts';
import { openPlaces } from '../rds/places.ts';
import { restoreOperations } from '../rds/restore-operations.ts';
import type { MasterSecrets } from '../rds/secrets.ts';
import { openServers } from '../rds/servers.ts';
import { openShipping, type ShippingTimes, shippingTimes } from '../rds/shipping.ts';
import { snapshotOperations } from '../rds/snapshot-operations.ts';
import { openRdsStore } from '../rds/store.ts';
import { tagOperations } from '../rds/tags.ts';
import type { TransitionsContext } from '../rds/transitions.ts';
import { openVault } from './vault.ts';

export interface RdsOptions {
  /** Holds `rds.sqlite`, the servers' directories, their archived log and the snapshots. */
  readonly directory: string;
  readonly region: string;
  readonly accountId: string;
  /** Settings of every server, such as `{ fsync: 'off' }`. */
  readonly settings?: Readonly<Record<string, string>>;
  /** Where master passwords go that RDS manages; without it ManageMasterUserPassword is not implemented. */
  readonly secrets?: MasterSecrets;
  readonly times?: ShippingTimes;
  readonly log?: (line: string) => void;
}

export interface RdsService extends SchemaService {
  /** Takes up what an earlier life left undone; resolves when the instances that were available answer again. */
  start(): Promise<void>;
  close(): Promise<void>;
}

/**
 * Amazon RDS for PostgreSQL: each DB instance is a real server on 127.0.0.1 with a port of its own (the one that is asked for
 * where it is free). Class, storage and zones are kept and shown, not enforced; subnet and security groups are not looked up.
 * There is no maintenance window: what waits without ApplyImmediately waits for a modification with it. The master user is a
 * superuser besides ours (`setUpMaster` says why). Servers outlive kill -9 of this process and are found again.
 */
export const createRdsService = (options: RdsOptions): RdsService => {
  const { directory, region, accountId, settings = {}, secrets, times = shippingTimes, log = () => {} } = options;
  const account = { region, accountId };
  const store = openRdsStore(directory);
  const places = openPlaces(directory);
  const vault = openVault(directory);
  const servers = openServers({ places, settings, log });
  const shipping = openShipping({ store, servers, places, times });
  const life = new AbortController();
  const transitions: TransitionsContext = { store, servers, places, shipping, signal: life.signal, vault, secrets };
  const jobs = openJobs(transitions, { abort: () => life.abort(), times, log });
  const context: RdsContext = {
    store,
    jobs,
    shipping,
    account,
    secrets,
    seal: (password) => vault.seal(Buffer.from(password, 'utf8')).toString('base64'),
  };
  let closing: Promise<void> | undefined;
  return {
    kind: 'schema',
    signingName: 'rds',
    protocol: 'awsQuery',
    client,
    operations: {
      ...instanceOperations(context),
      ...snapshotOperations(context, (snapshot) => removeSnapshot(transitions, snapshot)),
      ...restoreOperations(context),
      ...parameterGroupOperations({ store, servers, account }),
      ...tagOperations(store, account),
    },
    start: () => jobs.resume(),
    close: () => {
      closing ??= jobs.close().finally(() => store.close());
      return closing;
    },
  };
};
