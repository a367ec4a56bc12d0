import { createHash } from 'node:crypto';
import { canonical, type Labels } from './objects.ts';
import { type Deployment, hashLabel, type PodTemplate, type ReplicaSet } from './workloads.ts';

export const revisionAnnotation = 'deployment.kubernetes.io/revision';

const historyAnnotation = 'deployment.kubernetes.io/revision-history';
const desiredAnnotation = 'deployment.kubernetes.io/desired-replicas';
const maxAnnotation = 'deployment.kubernetes.io/max-replicas';

/** Annotations of a Deployment that speak of itself alone. */
const ownAnnotations: ReadonlySet<string> = new Set([
  'kubectl.kubernetes.io/last-applied-configuration',
  revisionAnnotation,
  historyAnnotation,
  desiredAnnotation,
  maxAnnotation,
]);

/** Kubernetes' alphabet for hashes in names. */
const letters = 'bcdfghjklmnpqrstvwxz2456789';

export const templateHash = (template: PodTemplate): string =>
  [...createHash('sha256').update(canonical(template)).digest().subarray(0, 10)]
    .map((byte) => letters[byte % letters.length])
    .join('');

const withoutHash = ({ metadata, spec }: PodTemplate): unknown => {
  const { [hashLabel]: _, ...labels } = metadata?.labels ?? {};
  return { labels, annotations: metadata?.annotations ?? {}, spec };
};

export const hasTemplate = (set: ReplicaSet, template: PodTemplate): boolean =>
  canonical(withoutHash(set.spec.template)) === canonical(withoutHash(template));

export const revisionOf = (set: ReplicaSet): number => Number(set.metadata.annotations?.[revisionAnnotation] ?? 0);

/** Annotations of the current ReplicaSet: those of the Deployment and the revision, which grows when an old set comes back. */
export const annotationsFor = (
  deployment: Deployment,
  set: ReplicaSet | undefined,
  { revision, surge }: { revision: number; surge: number },
): Labels => {
  const carried = Object.entries(deployment.metadata.annotations ?? {}).filter(([name]) => !ownAnnotations.has(name));
  const before = set && revisionOf(set);
  const history = [set?.metadata.annotations?.[historyAnnotation], before === revision ? undefined : before]
    .filter((part) => part !== undefined && part !== 0)
    .join(',');
  const replicas = deployment.spec.replicas ?? 1;
  return {
    ...Object.fromEntries(carried),
    [revisionAnnotation]: String(revision),
    [desiredAnnotation]: String(replicas),
    [maxAnnotation]: String(replicas + surge),
    ...(history !== '' && { [historyAnnotation]: history }),
  };
};
