import type { V1PodSpec } from '@kubernetes/client-node';
import { podKind, priorityClassKind, serviceAccountKind } from '../kinds.ts';
import { forbidden } from '../status.ts';
import type { AdmissionRequest } from './request.ts';

/** Classes that every cluster has without an object. */
const systemClasses: Readonly<Record<string, number>> = {
  'system-cluster-critical': 2_000_000_000,
  'system-node-critical': 2_000_001_000,
};

const resolvePriority = ({ objects, kind, object }: AdmissionRequest): void => {
  const spec = object.spec as V1PodSpec;
  const classes = objects.list(priorityClassKind);
  const name = spec.priorityClassName || classes.find(({ globalDefault }) => globalDefault === true)?.metadata.name;
  if (!name) return;
  const found = classes.find(({ metadata }) => metadata.name === name);
  const value = found ? Number(found.value) : systemClasses[name];
  if (value === undefined) throw forbidden(kind, object.metadata.name, `no PriorityClass with name ${name} was found`);
  spec.priorityClassName = name;
  spec.priority = value;
  if (found?.preemptionPolicy) spec.preemptionPolicy = String(found.preemptionPolicy);
};

/**
 * `default` is made by a controller a moment after its namespace; a pod of a controller of ours would be refused meanwhile and
 * tried again. Every other account must be there.
 */
const checkServiceAccount = ({ objects, kind, object }: AdmissionRequest): void => {
  const { serviceAccountName: name = 'default' } = object.spec as V1PodSpec;
  const { namespace } = object.metadata;
  if (name === 'default' || objects.get(serviceAccountKind, namespace, name)) return;
  throw forbidden(
    kind,
    object.metadata.name,
    `error looking up service account ${namespace}/${name}: serviceaccount "${name}" not found`,
  );
};

/** A new pod gets the value of its PriorityClass, and is refused when that or its service account is not there. */
export const admitReferences = (request: AdmissionRequest): void => {
  if (request.kind !== podKind || request.before) return;
  resolvePriority(request);
  checkServiceAccount(request);
};
