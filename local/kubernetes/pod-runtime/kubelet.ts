import { isApiError } from '../api-client.ts';
import type { Cluster } from '../controllers/cluster.ts';
import { kinds, pathOf } from '../controllers/kinds.ts';
import { nodeName } from '../controllers/node.ts';
import { keyOf, splitKey } from '../controllers/objects.ts';
import { createQueue } from '../controllers/queue.ts';
import { isFinished, isTerminating, type Pod } from '../controllers/workloads.ts';
import type { PodRuntime } from '../pod-runtime.ts';
import type { KeySources } from './environment.ts';
import { type RunningPod, runPod } from './pod.ts';

export interface Kubelet {
  /** Ends every process of this cluster's pods, with at most 5 s of grace. */
  close(): Promise<void>;
}

const patience = 5_000;

/** Grace of a process whose pod is gone from the API: it was deleted by force. */
const forced = 1_000;

const keySources = ({ client }: Cluster, namespace: string): KeySources => {
  const read = async (kind: typeof kinds.secrets, name: string) => {
    try {
      const path = pathOf(kind, { namespace, name });
      return (await client.request<{ data?: Record<string, string> }>('GET', path)).data ?? {};
    } catch (error) {
      if (isApiError(error, 404)) return undefined;
      throw error;
    }
  };
  return {
    secret: async (name) => {
      const data = await read(kinds.secrets, name);
      const texts = Object.entries(data ?? {}).map(([key, value]) => [key, Buffer.from(value, 'base64').toString()]);
      return data && (Object.fromEntries(texts) as Record<string, string>);
    },
    configMap: (name) => read(kinds.configMaps, name),
  };
};

const graceOf = ({ metadata, spec }: Pod): number =>
  (metadata.deletionGracePeriodSeconds ?? spec.terminationGracePeriodSeconds ?? 30) * 1_000;

/** Runs the pods of a cluster as processes and tells their state: the kubelet of the laptop's one node. */
export const startKubelet = (
  cluster: Cluster,
  { runtime, startDelayMillis }: { runtime: PodRuntime; startDelayMillis: number },
): Kubelet => {
  const { client, pods, events, log } = cluster;
  /** By uid: a pod of the same name may come while the old one ends. */
  const running = new Map<string, { pod: RunningPod; grace: number; key: string }>();
  const ending = new Map<string, { pod: RunningPod; key: string; done: Promise<void> }>();

  /** Again for one that is ending: the shorter grace counts, as for `kubectl delete --force`. */
  const end = (uid: string, graceMillis: number): void => {
    const late = ending.get(uid);
    if (late) void late.pod.end(graceMillis);
    const known = running.get(uid);
    if (!known) return;
    running.delete(uid);
    const done = known.pod.end(graceMillis).finally(() => {
      ending.delete(uid);
      queue.add(known.key);
    });
    ending.set(uid, { pod: known.pod, key: known.key, done });
  };

  const start = (pod: Pod): void => {
    const key = keyOf(pod);
    const grace = (pod.spec.terminationGracePeriodSeconds ?? 30) * 1_000;
    const run = runPod({
      pod,
      runtime,
      startDelayMillis,
      sources: keySources(cluster, pod.metadata.namespace ?? ''),
      changed: () => queue.add(key),
      tell: (type, reason, message) => events.record({ kind: kinds.pods, object: pod }, type, reason, message),
    });
    running.set(pod.metadata.uid, { pod: run, grace, key });
  };

  const terminate = async (pod: Pod): Promise<void> => {
    const { uid } = pod.metadata;
    const known = running.get(uid);
    if (known) {
      events.record({ kind: kinds.pods, object: pod }, 'Normal', 'Killing', `Stopping pod ${pod.metadata.name}`);
      end(uid, graceOf(pod));
      await pods.writeStatus(pod, known.pod.status());
      return;
    }
    if (!ending.has(uid) && !pod.metadata.finalizers?.length) await pods.remove(pod, { graceSeconds: 0 });
  };

  /** The scheduler's part, for pods that no controller of ours has made. */
  const bind = async ({ metadata }: Pod): Promise<void> => {
    const { namespace = '', name } = metadata;
    const target = { apiVersion: 'v1', kind: 'Node', name: nodeName };
    const body = { apiVersion: 'v1', kind: 'Binding', metadata: { name, namespace }, target };
    await client.request('POST', pathOf(kinds.pods, { namespace, name, subresource: 'binding' }), { body });
  };

  const reconcile = async (key: string): Promise<undefined> => {
    const { namespace, name } = splitKey(key);
    const pod = pods.get(namespace, name);
    for (const [uid, known] of [...running, ...ending])
      if (known.key === key && uid !== pod?.metadata.uid) end(uid, forced);
    if (!pod) return;
    if (isTerminating(pod)) return void (await terminate(pod));
    const { uid } = pod.metadata;
    if (!running.has(uid)) {
      if (isFinished(pod) || ending.has(uid)) return;
      // Its watch event brings it back with a node.
      if (pod.spec.nodeName === undefined) {
        await bind(pod);
        return;
      }
      start(pod);
    }
    const status = running.get(uid)?.pod.status();
    if (!status) return;
    await pods.writeStatus(pod, { ...pod.status, ...status });
    if (status.phase === 'Succeeded' || status.phase === 'Failed') end(uid, 0);
  };

  const queue = createQueue({ name: 'Pod', reconcile, log });
  pods.onChange(({ object }) => queue.add(keyOf(object)));
  return {
    close: async () => {
      await queue.close();
      await Promise.all([...running.values()].map(({ pod, grace }) => pod.end(Math.min(grace, patience))));
      await Promise.all([...ending.values()].map(({ done }) => done));
    },
  };
};
