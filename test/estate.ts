import { CloudFormationClient, DescribeStacksCommand } from '@aws-sdk/client-cloudformation';
import { EKSClient, ListClustersCommand } from '@aws-sdk/client-eks';
import { DescribeDBInstancesCommand, RDSClient } from '@aws-sdk/client-rds';
import { ListSecretsCommand, SecretsManagerClient } from '@aws-sdk/client-secrets-manager';
import type pg from 'pg';
import type { Cluster } from '../adapters/cluster/cluster.ts';
import { openClusterConnections } from '../adapters/cluster/connect.ts';
import { sharedCluster } from '../local/deploy/clusters.ts';
import type { TestCloud } from './cloud.ts';

/** What tenants have outside databases, looked up where it is: EKS, Kubernetes, CloudFormation, RDS, Secrets Manager. */
export interface Estate {
  /** Kubernetes of a cluster, with the administrator's rights of the laptop's keys. */
  cluster(name: string): Promise<Cluster>;
  /** All of it or one tenant's, as lines such as `namespace tenantry-local-1/t-acme-3f2a1b`, sorted. */
  things(tenantId?: string): Promise<string[]>;
  /** What the registry says there must be, in the same lines. */
  promised(control: Pick<pg.Pool, 'query'>): Promise<string[]>;
  close(): void;
}

/** Every name that the product gives a thing of a tenant has the tenant in it; the registry is not asked. */
const ofTenants = /^(t-|tenantry-.+-[0-9a-f]{6}$|tenantry\/t\/)/;

/** Whether a line is about that tenant: its id and six figures, or its own folder of secrets. */
const isOf = (tenantId: string): ((line: string) => boolean) => {
  const id = tenantId.replaceAll('-', '[-_]');
  const pattern = new RegExp(`(t-|tenantry-|t_)${id}[-_][0-9a-f]{6}|tenantry/t/${id}/`);
  return (line) => pattern.test(line);
};

const clustersOf = async (eks: EKSClient): Promise<string[]> =>
  (await eks.send(new ListClustersCommand({}))).clusters!.toSorted();

const namespacesOf = async (clusters: readonly Cluster[]): Promise<string[]> => {
  const found: string[] = [];
  for (const cluster of clusters)
    for (const { metadata, status } of await cluster.list({ apiVersion: 'v1', kind: 'Namespace' }))
      if (ofTenants.test(metadata.name)) {
        const { phase } = (status ?? {}) as { phase?: string };
        found.push(`namespace ${cluster.name}/${metadata.name}${phase === 'Terminating' ? ' Terminating' : ''}`);
      }
  return found;
};

const routesOf = async (clusters: readonly Cluster[]): Promise<string[]> => {
  const found: string[] = [];
  for (const cluster of clusters)
    for (const { metadata } of await cluster.list({ apiVersion: 'networking.k8s.io/v1', kind: 'Ingress' }))
      found.push(`route ${cluster.name}/${metadata.namespace}`);
  return found;
};

const stacksOf = async (stacks: CloudFormationClient): Promise<string[]> =>
  (await stacks.send(new DescribeStacksCommand({}))).Stacks!.map(
    ({ StackName, StackStatus }) => `stack ${StackName}${StackStatus === 'CREATE_COMPLETE' ? '' : ` ${StackStatus}`}`,
  );

const instancesOf = async (rds: RDSClient): Promise<string[]> =>
  (await rds.send(new DescribeDBInstancesCommand({})))
    .DBInstances!.map(({ DBInstanceIdentifier }) => DBInstanceIdentifier!)
    .filter((name) => ofTenants.test(name))
    .map((name) => `instance ${name}`);

/** Prefixes, one for each place: what lies under it depends on its isolation. */
const secretsOf = async (secrets: SecretsManagerClient): Promise<string[]> => {
  const found = new Set<string>();
  let NextToken: string | undefined;
  do {
    const page = await secrets.send(new ListSecretsCommand({ MaxResults: 100, ...(NextToken && { NextToken }) }));
    for (const { Name } of page.SecretList ?? [])
      if (ofTenants.test(Name!)) found.add(`secrets ${Name!.split('/').slice(0, 4).join('/')}`);
    NextToken = page.NextToken;
  } while (NextToken);
  return [...found];
};

export const openEstate = ({ cloud }: Pick<TestCloud, 'cloud'>): Estate => {
  const options = { endpoint: cloud.endpoint, region: cloud.region, credentials: cloud.credentials };
  const eks = new EKSClient(options);
  const stacks = new CloudFormationClient(options);
  const rds = new RDSClient(options);
  const secrets = new SecretsManagerClient(options);
  const connections = openClusterConnections(eks, cloud.endpoint);
  return {
    cluster: connections.open,
    things: async (tenantId) => {
      const isAsked = tenantId === undefined ? () => true : isOf(tenantId);
      // Clusters of others come and go while one tenant is looked at.
      const names = (await clustersOf(eks)).filter((name) => name === sharedCluster || isAsked(name));
      const opened = (await Promise.all(names.map((name) => connections.find(name)))).filter(
        (one) => one !== undefined,
      );
      return [
        ...names.filter((name) => name !== sharedCluster).map((name) => `cluster ${name}`),
        ...(await namespacesOf(opened)),
        ...(await routesOf(opened)),
        ...(await stacksOf(stacks)),
        ...(await instancesOf(rds)),
        ...(await secretsOf(secrets)),
      ]
        .filter(isAsked)
        .toSorted();
    },
    promised: async (control) => {
      const { rows } = await control.query<{ line: string }>(`
        SELECT 'cluster ' || id AS line FROM clusters WHERE tenant_id IS NOT NULL
        UNION SELECT 'stack ' || stack FROM clusters WHERE stack IS NOT NULL
        UNION SELECT 'namespace ' || cluster_id || '/' || namespace FROM placements WHERE namespace IS NOT NULL
        UNION SELECT 'route ' || cluster_id || '/' || namespace FROM placements WHERE namespace IS NOT NULL AND active
        UNION SELECT 'instance ' || id FROM servers WHERE tenant_id IS NOT NULL
        UNION SELECT 'secrets ' || secret_prefix FROM servers WHERE tenant_id IS NOT NULL
        UNION SELECT 'secrets ' || regexp_replace(app_secret_id, '/app$', '') FROM placements WHERE app_secret_id IS NOT NULL`);
      return rows.map(({ line }) => line).toSorted();
    },
    close: () => {
      connections.close();
      for (const client of [eks, stacks, rds, secrets]) client.destroy();
    },
  };
};

/** Databases and logins of single tenants on the shared server that no place has; read past everything by its superuser. */
export const orphanedDatabases = async (control: Pick<pg.Pool, 'query'>): Promise<string[]> => {
  const { rows } = await control.query<{ line: string }>(`
    SELECT 'database ' || datname AS line FROM pg_database WHERE datname LIKE 't\\_%' AND datname NOT IN (SELECT database FROM placements WHERE database IS NOT NULL)
    UNION ALL SELECT 'login ' || rolname FROM pg_roles WHERE rolname LIKE 't\\_%' AND rolname NOT IN (SELECT database FROM placements WHERE database IS NOT NULL)`);
  return rows.map(({ line }) => line);
};

/** Whatever there is that bears the tenant's name, the registry's notes of it included. */
export const thingsOf = async (
  estate: Estate,
  control: Pick<pg.Pool, 'query'>,
  tenantId: string,
): Promise<string[]> => {
  const { rows } = await control.query<{ line: string }>(
    `SELECT 'database ' || datname AS line FROM pg_database WHERE datname LIKE $1
     UNION ALL SELECT 'login ' || rolname FROM pg_roles WHERE rolname LIKE $1
     UNION ALL SELECT 'server ' || id || ' of the registry' FROM servers WHERE tenant_id = $2
     UNION ALL SELECT 'cluster ' || id || ' of the registry' FROM clusters WHERE tenant_id = $2
     UNION ALL SELECT 'placement ' || id FROM placements WHERE tenant_id = $2`,
    [`t\\_${tenantId.replaceAll('-', '\\_')}\\_%`, tenantId],
  );
  return [...rows.map(({ line }) => line), ...(await estate.things(tenantId))];
};

/**
 * What is there and belongs to nobody, and what somebody was promised and is not there. Of one tenant, by its name in the
 * lines, or of all.
 */
export const estateFindings = async (
  estate: Estate,
  control: Pick<pg.Pool, 'query'>,
  tenantId?: string,
): Promise<string[]> => {
  const [there, promised] = [await estate.things(tenantId), await estate.promised(control)];
  const [has, should] = [new Set(there), new Set(promised)];
  const found = [
    ...there.filter((line) => !should.has(line)).map((line) => `${line} belongs to nobody`),
    ...promised.filter((line) => !has.has(line)).map((line) => `${line} is not there`),
    ...(await orphanedDatabases(control)).map((line) => `${line} belongs to nobody`),
  ];
  if (tenantId === undefined) return found;
  return found.filter(isOf(tenantId));
};
