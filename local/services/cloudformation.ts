import * as client from '@aws-sdk/client-cloudformation';
import type { CloudFormationContext } from '../cloudformation/context.ts';
import { openDriver } from '../cloudformation/driver.ts';
import { readingOperations } from '../cloudformation/reading-operations.ts';
import { defaultQuotas, type Quotas } from '../cloudformation/resource-type.ts';
import { stackOperations } from '../cloudformation/stack-operations.ts';
import { openStackStore } from '../cloudformation/store.ts';
import type { SchemaService } from '../gateway/service.ts';
import type { ObjectStore } from '../ports.ts';
import type { EksService } from './eks.ts';

export interface CloudFormationOptions {
  /** Holds `cloudformation.sqlite`. */
  readonly directory: string;
  readonly region: string;
  readonly accountId: string;
  /** Where resources of type AWS::EKS::... are really made. */
  readonly eks: Pick<EksService, 'operations'>;
  /** Where a TemplateURL is read. */
  readonly objects: ObjectStore;
  /** Names of the Ingresses and LoadBalancer Services of a cluster; none without it. */
  readonly loadBalancers?: (cluster: string) => Promise<readonly string[]>;
  /** Milliseconds that every resource takes at least, in creation and in deletion. */
  readonly resourceDelayMillis?: number;
  /** AWS's default quotas unless told. */
  readonly quotas?: Partial<Quotas>;
  readonly log?: (line: string) => void;
}

export interface CloudFormationService extends SchemaService {
  /** Takes up the stacks that an earlier life left under way; EKS must have been started. */
  start(): void;
  close(): Promise<void>;
}

/**
 * AWS CloudFormation: JSON templates are interpreted, resources are made in their order, rolled back and deleted. Networks, roles
 * and keys are records with names and attributes; clusters are made in the EKS beside. Updates and change sets are not here. A
 * cluster that is deleted while its Kubernetes has load balancers leaves them behind, and their VPC cannot be deleted, as on AWS.
 */
export const createCloudFormationService = (options: CloudFormationOptions): CloudFormationService => {
  const { directory, region, accountId, eks, objects, quotas, log = () => {} } = options;
  const account = { region, accountId };
  const store = openStackStore(directory);
  const life = new AbortController();
  const driver = openDriver({
    store,
    account,
    eks,
    loadBalancers: options.loadBalancers ?? (async () => []),
    quotas: { ...defaultQuotas, ...quotas },
    resourceDelay: options.resourceDelayMillis ?? 100,
    life: life.signal,
    log,
  });
  const context: CloudFormationContext = { store, account, driver, objects };
  let closing: Promise<void> | undefined;
  return {
    kind: 'schema',
    signingName: 'cloudformation',
    protocol: 'awsQuery',
    client,
    operations: { ...stackOperations(context), ...readingOperations(context) },
    start: driver.resume,
    close: () => {
      life.abort();
      closing ??= driver.settled().finally(() => store.close());
      return closing;
    },
  };
};
