import { AppsV1Api, CoreV1Api, KubernetesObjectApi } from '@kubernetes/client-node';
import { beforeAll } from 'vitest';
import { kubeConfigOf, tokenOf } from './api-server.ts';
import { namespace, planes } from './shared-cluster.ts';

/** For all tests of the file that imports this: clients of the administrator of the cluster `shared`. */
export let core: CoreV1Api;
export let apps: AppsV1Api;
/** Of any kind, as the object itself says. */
export let objects: KubernetesObjectApi;

beforeAll(() => {
  const config = kubeConfigOf(planes, 'shared', tokenOf('shared', 'root'));
  core = config.makeApiClient(CoreV1Api);
  apps = config.makeApiClient(AppsV1Api);
  objects = KubernetesObjectApi.makeApiClient(config);
});

/** Path of `rest` (`/pods/web`) in the core group and the namespace of the test, for a bare request. */
export const path = (rest: string): string => `/api/v1/namespaces/${namespace}${rest}`;

/** The same in the group `apps`. */
export const appsPath = (rest: string): string => `/apis/apps/v1/namespaces/${namespace}${rest}`;
