import type { Identity } from './control-plane.ts';
import { type EksStore, type EntryRecord, entryKey, type PolicyRecord } from './store.ts';

export const clusterAdminPolicy = 'arn:aws:eks::aws:cluster-access-policy/AmazonEKSClusterAdminPolicy';

const sessionPattern = /^arn:aws:sts::(\d{12}):assumed-role\/([^/]+)\/(.+)$/;

/**
 * The role behind a session, without its path, which a session's ARN does not tell; EKS's authenticator compares so too
 * (kubernetes-sigs/aws-iam-authenticator pkg/arn).
 */
export const canonicalPrincipal = (arn: string): string => {
  const session = sessionPattern.exec(arn);
  if (session) return `arn:aws:iam::${session[1]}:role/${session[2]}`;
  return arn.replace(/^(arn:aws:iam::\d{12}:role)\/.*\/([^/]+)$/, '$1/$2');
};

/** What EKS names a principal whose access entry gives no name. */
export const defaultUsername = (principalArn: string): string => {
  const [, account, role] = /^arn:aws:iam::(\d{12}):role\/(?:.*\/)?([^/]+)$/.exec(principalArn) ?? [];
  return role === undefined ? principalArn : `arn:aws:sts::${account}:assumed-role/${role}/{{SessionName}}`;
};

const isAdmin = ({ arn, scope }: PolicyRecord): boolean => arn === clusterAdminPolicy && scope === 'cluster';

const find = (store: EksStore, cluster: string, principalArn: string): EntryRecord | undefined => {
  const exact = store.entries.get(entryKey(cluster, principalArn));
  if (exact) return exact;
  const wanted = canonicalPrincipal(principalArn);
  return store.entries
    .all()
    .find((entry) => entry.cluster === cluster && canonicalPrincipal(entry.principalArn) === wanted);
};

/** Who a principal is in a cluster, by its access entry; undefined means that the cluster does not know it. */
export const identityOf = (store: EksStore, cluster: string, principalArn: string): Identity | undefined => {
  if (store.clusters.get(cluster)?.status !== 'ACTIVE') return undefined;
  const entry = find(store, cluster, principalArn);
  if (!entry) return undefined;
  const session = sessionPattern.exec(principalArn)?.[3] ?? '';
  return {
    username: entry.username.replaceAll('{{SessionName}}', session.replaceAll('@', '-')),
    groups: [...entry.groups, ...(entry.policies.some(isAdmin) ? ['system:masters'] : [])],
  };
};
