import type { V1PodSpec } from '@kubernetes/client-node';
import type { Kind } from '../kinds.ts';
import { isObject, type KubeObject, sameJson } from '../object.ts';
import type { FieldError } from '../status.ts';

/** Paths that no update may change. Source: the ValidateUpdate functions of k8s.io/kubernetes. */
const fixed: Readonly<Record<string, readonly string[]>> = {
  Deployment: ['spec.selector'],
  ReplicaSet: ['spec.selector'],
  DaemonSet: ['spec.selector'],
  Job: ['spec.selector', 'spec.template', 'spec.completionMode', 'spec.completions'],
  Secret: ['type'],
  PriorityClass: ['value', 'preemptionPolicy'],
  IngressClass: ['spec.controller'],
};

const at = (object: unknown, path: string): unknown =>
  path.split('.').reduce<unknown>((value, name) => (isObject(value) ? value[name] : undefined), object);

const immutable = (field: string, value: unknown): FieldError => ({
  field,
  reason: 'FieldValueInvalid',
  message: `Invalid value: ${JSON.stringify(value ?? null)}: field is immutable`,
});

const fieldForbidden = (field: string, why: string): FieldError => ({
  field,
  reason: 'FieldValueForbidden',
  message: `Forbidden: ${why}`,
});

const without = (spec: unknown, names: readonly string[]): unknown =>
  isObject(spec) ? Object.fromEntries(Object.entries(spec).filter(([name]) => !names.includes(name))) : spec;

const podUpdates =
  'pod updates may not change fields other than `spec.containers[*].image`,`spec.initContainers[*].image`,`spec.activeDeadlineSeconds`,`spec.tolerations` (only additions to existing tolerations),`spec.terminationGracePeriodSeconds` (allow it to be set to 1 if it was previously negative)';

const podMay = ['activeDeadlineSeconds', 'tolerations', 'terminationGracePeriodSeconds', 'schedulingGates'];

const fixedPod = (spec: unknown): unknown => {
  const { containers = [], initContainers = [], ...rest } = without(spec, podMay) as V1PodSpec;
  const withoutImage = (list: readonly object[]): unknown[] => list.map((container) => without(container, ['image']));
  return { ...rest, containers: withoutImage(containers), initContainers: withoutImage(initContainers) };
};

const checkPod = (before: KubeObject, after: KubeObject): FieldError[] =>
  sameJson(fixedPod(before.spec), fixedPod(after.spec)) ? [] : [fieldForbidden('spec', podUpdates)];

const setMay = [
  'replicas',
  'ordinals',
  'template',
  'updateStrategy',
  'revisionHistoryLimit',
  'persistentVolumeClaimRetentionPolicy',
  'minReadySeconds',
];

const checkStatefulSet = (before: KubeObject, after: KubeObject): FieldError[] =>
  sameJson(without(before.spec, setMay), without(after.spec, setMay))
    ? []
    : [
        fieldForbidden(
          'spec',
          `updates to statefulset spec for fields other than 'replicas', 'ordinals', 'template', 'updateStrategy', 'revisionHistoryLimit', 'persistentVolumeClaimRetentionPolicy' and 'minReadySeconds' are forbidden`,
        ),
      ];

const checkClaim = (before: KubeObject, after: KubeObject): FieldError[] => {
  const may = ['resources', 'volumeAttributesClassName', ...(at(before, 'spec.volumeName') ? [] : ['volumeName'])];
  if (sameJson(without(before.spec, may), without(after.spec, may))) return [];
  return [
    fieldForbidden(
      'spec',
      'spec is immutable after creation except resources.requests and volumeAttributesClassName for bound claims',
    ),
  ];
};

/** The address may go, or come, only together with a change from or to ExternalName. */
const checkService = (before: KubeObject, after: KubeObject): FieldError[] => {
  const earlier = at(before, 'spec.clusterIP');
  if (!earlier || at(after, 'spec.type') === 'ExternalName' || earlier === at(after, 'spec.clusterIP')) return [];
  return [immutable('spec.clusterIP', at(after, 'spec.clusterIP'))];
};

const checkBinding = (before: KubeObject, after: KubeObject): FieldError[] => {
  if (sameJson(before.roleRef, after.roleRef)) return [];
  const value = JSON.stringify(after.roleRef);
  return [{ field: 'roleRef', reason: 'FieldValueInvalid', message: `Invalid value: ${value}: cannot change roleRef` }];
};

const checkSealed = (before: KubeObject, after: KubeObject): FieldError[] => {
  if (before.immutable !== true) return [];
  const why = 'field is immutable when `immutable` is set';
  return [
    ...(after.immutable === true ? [] : [fieldForbidden('immutable', why)]),
    ...(sameJson(before.data, after.data) ? [] : [fieldForbidden('data', why)]),
  ];
};

const special: Readonly<Record<string, (before: KubeObject, after: KubeObject) => FieldError[]>> = {
  Pod: checkPod,
  StatefulSet: checkStatefulSet,
  PersistentVolumeClaim: checkClaim,
  Service: checkService,
  RoleBinding: checkBinding,
  ClusterRoleBinding: checkBinding,
  Secret: checkSealed,
  ConfigMap: checkSealed,
};

/** What an update may not change. */
export const checkImmutable = (kind: Kind, before: KubeObject, after: KubeObject): FieldError[] => {
  if (kind.custom) return [];
  return [
    ...(fixed[kind.kind] ?? [])
      .filter((path) => !sameJson(at(before, path), at(after, path)))
      .map((path) => immutable(path, at(after, path))),
    ...(special[kind.kind]?.(before, after) ?? []),
  ];
};
