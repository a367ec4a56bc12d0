import { ServiceError } from '../gateway/service.ts';
import type { ClusterRecord, EksStore } from './store.ts';

export interface Account {
  readonly region: string;
  readonly accountId: string;
}

export const eksArn = ({ region, accountId }: Account, rest: string): string =>
  `arn:aws:eks:${region}:${accountId}:${rest}`;

export const invalidParameter = (message: string): ServiceError =>
  new ServiceError('InvalidParameterException', message);

export const invalidRequest = (message: string): ServiceError => new ServiceError('InvalidRequestException', message);

export const inUse = (message: string, clusterName: string): ServiceError =>
  new ServiceError('ResourceInUseException', message, { members: { clusterName } });

export const notFound = (message: string): ServiceError => new ServiceError('ResourceNotFoundException', message);

/** The cluster, whatever its status. Throws ResourceNotFoundException in EKS's words. */
export const requireCluster = (store: EksStore, name: string | undefined): ClusterRecord => {
  const found = store.clusters.get(name ?? '');
  if (!found) throw notFound(`No cluster found for name: ${name ?? ''}.`);
  return found;
};

/** A cluster that takes changes. */
export const requireActive = (store: EksStore, name: string | undefined): ClusterRecord => {
  const found = requireCluster(store, name);
  if (found.status === 'ACTIVE') return found;
  throw inUse(`Cluster ${found.name} is ${found.status}; it must be ACTIVE.`, found.name);
};

/** IAM's rule for the ARN of a role, with or without a path. */
const rolePattern = /^arn:aws:iam::\d{12}:role\/[\w+=,.@/-]+$/;

export const roleOf = (member: string, given: string | undefined): string => {
  if (given !== undefined && rolePattern.test(given)) return given;
  throw invalidParameter(
    `The ${member} "${given ?? ''}" is not the ARN of a role: arn:aws:iam::<account>:role/<name>.`,
  );
};
