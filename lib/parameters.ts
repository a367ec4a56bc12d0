import type { Node } from 'constructs';

/** What an operator may choose at `cdk deploy -c name=value`; every value has a default that works. */
export interface Parameters {
  readonly region: string;
  /** S3 Object Lock on the archive bucket: archives cannot be deleted by anyone before their time. Only at creation. */
  readonly objectLock: boolean;
  /** Days that Object Lock keeps an archive. */
  readonly lockDays: number;
  /** Aurora capacity units of each cluster, smallest and largest. */
  readonly minCapacity: number;
  readonly maxCapacity: number;
  /** Tenants that the shared cell takes. */
  readonly cellCapacity: number;
  /** Namespaces of single tenants that the shared cluster takes. */
  readonly clusterCapacity: number;
  /** Instance class and gibibytes of a server that one tenant has for itself. */
  readonly serverClass: string;
  readonly serverStorage: number;
  /** Container image of tenants' own apps; `tenantry-app:latest` in the account's ECR unless told. */
  readonly appImage: string | undefined;
  /** Chart of tenants' own apps: a path in the function's layers, or an `oci://` reference. */
  readonly appChart: string | undefined;
  /** ARN in ACM of the certificate for tenants' hosts. */
  readonly appCertificate: string | undefined;
  /** ARN of the role or user that administers tenants' own clusters with kubectl; without one nobody but the steps does. */
  readonly clusterOperator: string | undefined;
  /** Address that alarms go to; without one the topic has no subscriber. */
  readonly alarmEmail: string | undefined;
}

const positive = (name: string, value: unknown, standard: number): number => {
  if (value === undefined) return standard;
  const number = Number(value);
  if (!Number.isFinite(number) || number <= 0)
    throw new Error(`context ${name} is "${String(value)}": give a number above 0, such as -c ${name}=${standard}`);
  return number;
};

/** @throws Error naming the context key, its value and the fix. */
export const readParameters = (node: Node): Parameters => {
  const context = (name: string): unknown => node.tryGetContext(name);
  const text = (name: string): string | undefined => {
    const value = context(name);
    return value === undefined ? undefined : String(value);
  };
  return {
    region: String(context('region') ?? 'eu-central-1'),
    objectLock: String(context('objectLock') ?? 'false') === 'true',
    lockDays: positive('lockDays', context('lockDays'), 35),
    minCapacity: positive('minCapacity', context('minCapacity'), 0.5),
    maxCapacity: positive('maxCapacity', context('maxCapacity'), 16),
    cellCapacity: positive('cellCapacity', context('cellCapacity'), 1000),
    clusterCapacity: positive('clusterCapacity', context('clusterCapacity'), 200),
    serverClass: String(context('serverClass') ?? 'db.t4g.medium'),
    serverStorage: positive('serverStorage', context('serverStorage'), 50),
    appImage: text('appImage'),
    appChart: text('appChart'),
    appCertificate: text('appCertificate'),
    clusterOperator: text('clusterOperator'),
    alarmEmail: text('alarmEmail'),
  };
};
