import { afterAll, beforeAll, beforeEach } from 'vitest';
import type { ControlPlanes } from '../../../local/kubernetes/control-planes.ts';
import { type Answer, ask, startTestControlPlanes, temporaryDirectory } from './api-server.ts';

/** For all tests of the file that imports this: control planes with the cluster `shared`. */
export let planes: ControlPlanes;
/** For each of them a namespace of its own in that cluster. */
export let namespace = '';

/** A request of the cluster's administrator. */
export const call = (method: string, path: string, body?: object, contentType?: string): Promise<Answer> =>
  ask(planes, 'shared', method, path, { ...(body ? { body } : {}), ...(contentType ? { contentType } : {}) });

let directory: Awaited<ReturnType<typeof temporaryDirectory>>;
let count = 0;

beforeAll(async () => {
  directory = await temporaryDirectory();
  planes = await startTestControlPlanes(directory.path);
  planes.create('shared');
});

afterAll(async () => {
  await planes.close();
  await directory.remove();
});

beforeEach(async () => {
  count += 1;
  namespace = `t-${count}`;
  await call('POST', '/api/v1/namespaces', { metadata: { name: namespace } });
});
