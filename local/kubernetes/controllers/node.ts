import { type ApiClient, isApiError } from '../api-client.ts';
import { kinds, pathOf } from './kinds.ts';
import { timestamp } from './objects.ts';

/** The one node of a laptop's cluster. Its pods have its address. */
export const nodeName = 'laptop';

/** Makes the node known where it is not, so that `kubectl get nodes` shows where pods run. */
export const ensureNode = async (client: ApiClient): Promise<void> => {
  const now = timestamp();
  const path = pathOf(kinds.nodes, { name: nodeName });
  try {
    await client.request('GET', path);
    return;
  } catch (error) {
    if (!isApiError(error, 404)) throw error;
  }
  const labels = {
    'kubernetes.io/hostname': nodeName,
    'kubernetes.io/os': process.platform,
    'kubernetes.io/arch': process.arch,
  };
  const node = { apiVersion: 'v1', kind: 'Node', metadata: { name: nodeName, labels }, spec: {} };
  try {
    const created = await client.request<object>('POST', pathOf(kinds.nodes), { body: node });
    const ready = {
      type: 'Ready',
      status: 'True',
      reason: 'KubeletReady',
      message: 'processes of this laptop are its pods',
      lastHeartbeatTime: now,
      lastTransitionTime: now,
    };
    const status = { conditions: [ready], addresses: [{ type: 'InternalIP', address: '127.0.0.1' }] };
    const body = { ...node, ...created, status };
    await client.request('PUT', pathOf(kinds.nodes, { name: nodeName, subresource: 'status' }), { body });
  } catch (error) {
    // 404: a server without nodes. 409: somebody else made it.
    if (!isApiError(error, 404, 409)) throw error;
  }
};
