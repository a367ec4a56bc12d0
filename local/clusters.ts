import { join } from 'node:path';
import type { ControlPlane } from './eks/control-plane.ts';
import type { CredentialStore } from './gateway/credentials.ts';
import type { ControlPlanes, Identity } from './kubernetes/control-planes.ts';
import type { Controllers } from './kubernetes/controllers.ts';
import type { HostTable } from './kubernetes/hosts.ts';

export interface ClustersOptions {
  /** Data directory of the cloud. */
  readonly home: string;
  readonly accountId: string;
  readonly credentials: CredentialStore;
  /** Who a caller of STS is in a cluster, by EKS's access entries. */
  readonly identityOf: (cluster: string, callerArn: string) => Identity | undefined;
  /** Image of a container -> the program that runs for it. */
  readonly images: ReadonlyMap<string, string>;
  readonly log: (source: string, line: string) => void;
}

/** The Kubernetes side of the laptop's EKS clusters: their APIs, their controllers, the processes of their pods. */
export interface Clusters {
  readonly plane: ControlPlane;
  /** Which hosts tenants' own apps serve. */
  readonly hosts: HostTable;
  /** Names of what holds a cluster's network: its Ingress objects and LoadBalancer Services. */
  loadBalancers(cluster: string): Promise<string[]>;
  close(): Promise<void>;
}

interface Listed {
  readonly items: readonly {
    readonly metadata: { readonly namespace?: string; readonly name: string };
    readonly spec?: { readonly type?: string };
  }[];
}

/**
 * Starts the API server of all clusters; a cluster's controllers start with it. The modules are loaded here because their schemas take
 * 0.5 s (measured), which passes while PostgreSQL starts.
 */
export const startClusters = async (options: ClustersOptions): Promise<Clusters> => {
  const { home, accountId, credentials, identityOf, images, log } = options;
  const [{ startControlPlanes }, { startControllers }, { createHostTable }, { createPodRuntime }, client, tokens] =
    await Promise.all([
      import('./kubernetes/control-planes.ts'),
      import('./kubernetes/controllers.ts'),
      import('./kubernetes/hosts.ts'),
      import('./kubernetes/pod-runtime.ts'),
      import('./kubernetes/api-client.ts'),
      import('./kubernetes/token.ts'),
    ]);
  const say = (line: string): void => log('kubernetes', line);
  const planes: ControlPlanes = await startControlPlanes({
    directory: join(home, 'kubernetes'),
    authenticate: (cluster, token) => {
      const verdict = tokens.verifyEksToken(token, { cluster, credentials, accountId, now: new Date() });
      if ('refusal' in verdict) say(`${cluster}: ${verdict.refusal}`);
      return Promise.resolve('refusal' in verdict ? undefined : identityOf(cluster, verdict.callerArn));
    },
    log: say,
  });
  const runtime = createPodRuntime({ images: () => images, log: (line) => log('app', line) });
  const hosts = createHostTable();
  const controllers = new Map<string, Promise<Controllers | undefined>>();
  const connectionOf = (name: string) => ({
    server: planes.endpoint(name),
    token: planes.adminToken(name),
    certificateAuthority: planes.certificateAuthority,
  });
  const control = (name: string): Promise<Controllers | undefined> =>
    startControllers(connectionOf(name), { runtime, hosts, log: (line) => say(`${name}: ${line}`) }).catch(
      (error: unknown) => {
        say(`${name}: controllers did not start: ${String(error)}`);
        return undefined;
      },
    );
  return {
    plane: {
      certificateAuthority: planes.certificateAuthority,
      endpoint: planes.endpoint,
      create: (name) => {
        planes.create(name);
        if (!controllers.has(name)) controllers.set(name, control(name));
      },
      remove: (name) => {
        const running = controllers.get(name);
        controllers.delete(name);
        // The processes of its pods end first, while the cluster still knows them.
        void Promise.resolve(running?.then((one) => one?.close())).finally(() => planes.remove(name));
      },
    },
    hosts,
    loadBalancers: async (cluster) => {
      if (!planes.names().includes(cluster)) return [];
      const api = client.openApiClient(connectionOf(cluster));
      try {
        const [ingresses, services] = await Promise.all([
          api.request<Listed>('GET', '/apis/networking.k8s.io/v1/ingresses'),
          api.request<Listed>('GET', '/api/v1/services'),
        ]);
        const balancers = services.items.filter(({ spec }) => spec?.type === 'LoadBalancer');
        return [...ingresses.items, ...balancers].map(({ metadata }) => `${metadata.namespace}/${metadata.name}`);
      } finally {
        api.close();
      }
    },
    close: async () => {
      await Promise.all([...controllers.values()].map(async (running) => (await running)?.close()));
      await runtime.close();
      await planes.close();
    },
  };
};
