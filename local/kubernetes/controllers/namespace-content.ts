import { isApiError } from '../api-client.ts';
import type { Cluster } from './cluster.ts';
import { apiVersionOf, type Kind, kinds, pathOf } from './kinds.ts';
import { keyOf, splitKey } from './objects.ts';
import { createQueue, type Queue } from './queue.ts';
import { isTerminating } from './workloads.ts';

/** What every namespace has from its start: ServiceAccount `default` and ConfigMap `kube-root-ca.crt`. */
export const namespaceContent = (cluster: Cluster, certificateAuthority: string): Queue => {
  const { client, namespaces: all, log } = cluster;

  const ensure = async (kind: Kind, namespace: string, name: string, content: object): Promise<void> => {
    const body = { apiVersion: apiVersionOf(kind), kind: kind.kind, metadata: { name, namespace }, ...content };
    try {
      await client.request('GET', pathOf(kind, { namespace, name }));
    } catch (error) {
      if (!isApiError(error, 404)) throw error;
      await client.request('POST', pathOf(kind, { namespace }), { body }).catch((refused: unknown) => {
        // 403: the namespace is being deleted by now. 409: somebody else was quicker.
        if (!isApiError(refused, 403, 404, 409)) throw refused;
      });
    }
  };

  const reconcile = async (key: string): Promise<undefined> => {
    const { name } = splitKey(key);
    const namespace = all.get(undefined, name);
    if (!namespace || isTerminating(namespace)) return;
    await ensure(kinds.serviceAccounts, name, 'default', {});
    const certificate = Buffer.from(certificateAuthority, 'base64').toString();
    await ensure(kinds.configMaps, name, 'kube-root-ca.crt', { data: { 'ca.crt': certificate } });
  };

  const queue = createQueue({ name: 'Namespace content', reconcile, log });
  all.onChange(({ type, object, before }) => {
    if (type === 'put' && !before) queue.add(keyOf(object));
  });
  return queue;
};
