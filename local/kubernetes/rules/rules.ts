import type { V1PodSpec, V1PodTemplateSpec, V1ServicePort } from '@kubernetes/client-node';
import type { Kind } from '../kinds.ts';
import { isObject, type KubeObject } from '../object.ts';
import { objectSelector } from '../selectors.ts';
import { type FieldError, invalid } from '../status.ts';
import { checkImmutable } from './immutability.ts';
import { checkLabels, checkMetadata } from './names.ts';
import { checkPodSpec } from './pod-spec.ts';

interface Workload {
  readonly selector?: unknown;
  readonly replicas?: number;
  readonly template?: V1PodTemplateSpec;
}

const selecting = new Set(['Deployment', 'ReplicaSet', 'StatefulSet', 'DaemonSet']);

const checkWorkload = (kind: string, { selector, replicas, template }: Workload): FieldError[] => {
  const labels = template?.metadata?.labels ?? {};
  const field = 'spec.template.metadata.labels';
  const selects = isObject(selector) && Object.keys(selector).length > 0;
  return [
    ...(selecting.has(kind) && !selects
      ? [{ field: 'spec.selector', reason: 'FieldValueRequired' as const, message: 'Required value' }]
      : []),
    ...(selecting.has(kind) && selects && !objectSelector(selector)(labels)
      ? [
          {
            field,
            reason: 'FieldValueInvalid' as const,
            message: `Invalid value: ${JSON.stringify(labels)}: \`selector\` does not match template \`labels\``,
          },
        ]
      : []),
    ...((replicas ?? 0) < 0
      ? [
          {
            field: 'spec.replicas',
            reason: 'FieldValueInvalid' as const,
            message: `Invalid value: ${replicas}: must be greater than or equal to 0`,
          },
        ]
      : []),
    ...checkLabels(template?.metadata?.labels, field),
    ...checkPodSpec(template?.spec, 'spec.template.spec'),
  ];
};

const checkService = (spec: { type?: string; clusterIP?: string; ports?: V1ServicePort[] }): FieldError[] => {
  const { ports = [] } = spec;
  if (spec.type === 'ExternalName') return [];
  const missing: FieldError[] =
    ports.length > 0 || spec.clusterIP === 'None'
      ? []
      : [{ field: 'spec.ports', reason: 'FieldValueRequired', message: 'Required value' }];
  const named = ports.flatMap(({ name }, index): FieldError[] =>
    ports.length < 2 || name
      ? []
      : [{ field: `spec.ports[${index}].name`, reason: 'FieldValueRequired', message: 'Required value' }],
  );
  return [...missing, ...named];
};

const checkSpec = (object: KubeObject): FieldError[] => {
  switch (object.kind) {
    case 'Pod':
      return checkPodSpec(object.spec as V1PodSpec, 'spec');
    case 'Service':
      return checkService(object.spec as Parameters<typeof checkService>[0]);
    case 'Deployment':
    case 'ReplicaSet':
    case 'StatefulSet':
    case 'DaemonSet':
    case 'Job':
      return checkWorkload(object.kind, object.spec as Workload);
    default:
      return [];
  }
};

/** Throws 422 with everything that the rules of the kind refuse and its schema cannot say. */
export const checkRules = (kind: Kind, object: KubeObject, before: KubeObject | undefined): void => {
  const errors = [
    ...checkMetadata(kind, object),
    ...(kind.custom ? [] : checkSpec(object)),
    ...(before ? checkImmutable(kind, before, object) : []),
  ];
  if (errors.length > 0) throw invalid(kind, object.metadata.name ?? '', errors);
};
