import { serviceAccountObject, staffObjects } from './account.ts';
import { configObjects } from './config.ts';
import { deploymentObject } from './deployment.ts';
import { monitorObjects } from './monitor.ts';
import { namespaceObject } from './namespace.ts';
import { networkPolicies } from './network.ts';
import type { KubeObject } from './object.ts';
import { quotaObjects } from './quota.ts';
import { serviceObjects } from './service.ts';
import type { WorkloadSpec } from './spec.ts';

/** What fences a tenant in, whatever runs inside: also applied around a chart. */
export const boundaryObjects = (spec: WorkloadSpec): KubeObject[] => [
  namespaceObject(spec),
  ...quotaObjects(spec),
  ...networkPolicies(spec),
  serviceAccountObject(spec),
  ...staffObjects(spec),
];

/** Every object of a tenant's own app, in the order of their making, but for its route (`routeObject`). */
export const workloadObjects = (spec: WorkloadSpec): KubeObject[] => [
  ...boundaryObjects(spec),
  ...configObjects(spec),
  deploymentObject(spec),
  ...serviceObjects(spec),
  ...monitorObjects(spec),
];
