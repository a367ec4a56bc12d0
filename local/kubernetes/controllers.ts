import { type ApiConnection, openApiClient } from './api-client.ts';
import { autoscalers } from './controllers/autoscalers.ts';
import { claims } from './controllers/claims.ts';
import { openCluster } from './controllers/cluster.ts';
import { deployments } from './controllers/deployments.ts';
import { disruptionBudgets } from './controllers/disruption-budgets.ts';
import { endpoints } from './controllers/endpoints.ts';
import { garbage } from './controllers/garbage.ts';
import { jobs } from './controllers/jobs.ts';
import { loadBalancers } from './controllers/load-balancers.ts';
import { namespaceContent } from './controllers/namespace-content.ts';
import { namespaces } from './controllers/namespaces.ts';
import { ensureNode } from './controllers/node.ts';
import { quotas } from './controllers/quotas.ts';
import { replicaSets } from './controllers/replica-sets.ts';
import { feedHosts } from './controllers/routes.ts';
import { statefulSets } from './controllers/stateful-sets.ts';
import type { FedHostTable } from './hosts.ts';
import { startKubelet } from './pod-runtime/kubelet.ts';
import type { PodRuntime } from './pod-runtime.ts';

export type { ApiConnection } from './api-client.ts';

export interface ControllersOptions {
  readonly runtime: PodRuntime;
  readonly log: (line: string) => void;
  /** Told which hosts the cluster's Ingress objects route to which pods. */
  readonly hosts?: FedHostTable;
  /** Pause between a pod's creation and the start of its processes, as a scheduler and a slow node would make it; none unless told. */
  readonly startDelayMillis?: number;
}

export interface Controllers {
  /** Ends the watches and every process of the cluster's pods. The objects stay as they are. */
  close(): Promise<void>;
}

/**
 * Runs the controllers and the one node of a cluster against its API, as a plain client with the rights of `connection`'s token
 * (system:masters). Resolves when they know every object; waits for an API that is not there yet.
 */
export const startControllers = async (
  connection: ApiConnection,
  { runtime, log, hosts, startDelayMillis = 0 }: ControllersOptions,
): Promise<Controllers> => {
  const client = openApiClient(connection);
  const cluster = openCluster(client, log);
  const ending = new AbortController();
  await Promise.all(cluster.watched.map((resource) => resource.start(ending.signal)));
  // Neither is worth a cluster without controllers.
  for (const early of [cluster.events.start(), ensureNode(client)])
    await early.catch((error: unknown) => log(error instanceof Error ? error.message : String(error)));
  const queues = [
    namespaceContent(cluster, connection.certificateAuthority),
    namespaces(cluster),
    ...garbage(cluster),
    deployments(cluster),
    replicaSets(cluster),
    statefulSets(cluster),
    jobs(cluster),
    autoscalers(cluster),
    disruptionBudgets(cluster),
    quotas(cluster),
    claims(cluster),
    endpoints(cluster),
    ...loadBalancers(cluster),
  ];
  const feed = hosts?.feed();
  if (feed) feedHosts(cluster, runtime, feed);
  const kubelet = startKubelet(cluster, { runtime, startDelayMillis });
  return {
    close: async () => {
      feed?.close();
      ending.abort();
      await Promise.all([kubelet.close(), ...queues.map((queue) => queue.close())]);
      await cluster.events.flush();
      client.close();
    },
  };
};
