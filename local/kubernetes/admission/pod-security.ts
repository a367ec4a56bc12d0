import type { V1CronJobSpec, V1PodSpec, V1PodTemplateSpec } from '@kubernetes/client-node';
import { namespaceKind } from '../kinds.ts';
import type { KubeObject } from '../object.ts';
import { forbidden } from '../status.ts';
import { type Level, violationsOf } from './pod-security-checks.ts';
import type { AdmissionRequest } from './request.ts';

const prefix = 'pod-security.kubernetes.io/';
const levels: readonly Level[] = ['privileged', 'baseline', 'restricted'];

interface Policy {
  readonly level: Level;
  readonly version: string;
}

const policyOf = (labels: Readonly<Record<string, string>>, mode: string): Policy | undefined => {
  const level = labels[`${prefix}${mode}`] as Level | undefined;
  if (level === undefined || !levels.includes(level)) return undefined;
  return { level, version: labels[`${prefix}${mode}-version`] ?? 'latest' };
};

/** The pod that an object is or makes. */
const podOf = ({
  kind,
  metadata,
  spec,
}: KubeObject): { spec: V1PodSpec; annotations: Record<string, string> } | undefined => {
  if (kind === 'Pod') return { spec: spec as V1PodSpec, annotations: metadata.annotations ?? {} };
  const template =
    kind === 'CronJob'
      ? (spec as V1CronJobSpec).jobTemplate.spec?.template
      : (spec as { template?: V1PodTemplateSpec } | undefined)?.template;
  return template?.spec && { spec: template.spec, annotations: template.metadata?.annotations ?? {} };
};

const makers = new Set(['Pod', 'Deployment', 'ReplicaSet', 'StatefulSet', 'DaemonSet', 'Job', 'CronJob']);

const judge = ({ level, version }: Policy, object: KubeObject): string | undefined => {
  const pod = podOf(object);
  const violations = pod ? violationsOf(level, pod) : [];
  if (violations.length === 0) return undefined;
  return `"${level}:${version}": ${violations.map(({ reason, detail }) => `${reason} (${detail})`).join(', ')}`;
};

/**
 * Pod Security admission by the namespace's labels: `enforce` refuses pods; `warn`, or `enforce` where it says nothing, warns
 * of pods and of workloads, whose pods the controller will then fail to make. Source: k8s.io/pod-security-admission.
 */
export const admitPodSecurity = ({ objects, kind, object, before, subresource }: AdmissionRequest): string[] => {
  if (kind.custom || !makers.has(kind.kind) || subresource !== undefined) return [];
  if (kind.kind === 'Pod' && before) return [];
  const labels = objects.get(namespaceKind, undefined, object.metadata.namespace ?? '')?.metadata.labels ?? {};
  const enforced = policyOf(labels, 'enforce');
  const refusal = enforced && kind.kind === 'Pod' ? judge(enforced, object) : undefined;
  if (refusal) throw forbidden(kind, object.metadata.name, `violates PodSecurity ${refusal}`);
  const warned = policyOf(labels, 'warn') ?? enforced;
  const warning = warned && judge(warned, object);
  return warning ? [`would violate PodSecurity ${warning}`] : [];
};
