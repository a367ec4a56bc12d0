import { execFile } from 'node:child_process';
import { existsSync } from 'node:fs';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { vi } from 'vitest';
import { type ApiClient, type ApiConnection, isApiError, openApiClient } from '../../../local/kubernetes/api-client.ts';
import { type ControlPlanes, startControlPlanes } from '../../../local/kubernetes/control-planes.ts';
import type { Job } from '../../../local/kubernetes/controllers/job-objects.ts';
import { kinds, pathOf } from '../../../local/kubernetes/controllers/kinds.ts';
import type { Deployment, Pod } from '../../../local/kubernetes/controllers/workloads.ts';
import { type Controllers, startControllers } from '../../../local/kubernetes/controllers.ts';
import { createHostTable, type FedHostTable } from '../../../local/kubernetes/hosts.ts';
import { createPodRuntime, type PodRuntime } from '../../../local/kubernetes/pod-runtime.ts';
import { type RealControlPlane, realControlPlane } from '../../../local/kubernetes/real-control-plane.ts';

const run = promisify(execFile);

const fixture = (name: string): string => join(import.meta.dirname, name);

/** Image -> program of the fixtures. A test may add to it. */
export const images = new Map([
  ['app:1', fixture('app.fixture.mjs')],
  ['app:2', fixture('app.fixture.mjs')],
  ['task:1', fixture('task.fixture.mjs')],
]);

export const kubectlPath = '/usr/bin/kubectl';
export const hasKubectl = existsSync(kubectlPath);

type AnyKind = (typeof kinds)[keyof typeof kinds];

export interface TestCluster {
  readonly connection: ApiConnection;
  readonly api: ApiClient;
  readonly namespace: string;
  create(kind: AnyKind, name: string, content?: object): Promise<void>;
  get<Type>(kind: AnyKind, name: string): Promise<Type>;
  /** Undefined when there is none. */
  find<Type>(kind: AnyKind, name: string): Promise<Type | undefined>;
  list<Type>(kind: AnyKind): Promise<Type[]>;
  patch(kind: AnyKind, name: string, patch: object): Promise<void>;
  remove(kind: AnyKind, name: string, options?: object): Promise<void>;
  deployment(name?: string): Promise<Deployment>;
  job(name: string): Promise<Job>;
  pods(): Promise<Pod[]>;
  /** Resolves when every replica of the current template is available and no other is left. */
  rolledOut(name?: string): Promise<Deployment>;
  kubectl(...args: string[]): Promise<string>;
}

export interface TestLaptop {
  readonly planes: ControlPlanes;
  readonly runtime: PodRuntime;
  readonly hosts: FedHostTable;
  readonly lines: string[];
  /** A cluster with controllers; the same one at a second call. */
  cluster(name?: string): Promise<ApiConnection>;
  /** A namespace of its own in a cluster. */
  open(namespace: string, cluster?: string): Promise<TestCluster>;
  stop(): Promise<void>;
}

/** Polls until `look` no longer throws, for at most 15 s. */
export const eventually = <Result>(look: () => Promise<Result> | Result): Promise<Result> =>
  vi.waitFor(look, { timeout: 15_000, interval: 20 });

export const startTestLaptop = async (): Promise<TestLaptop> => {
  const directory = await mkdtemp(join(tmpdir(), 'tenantry-kubernetes-'));
  const lines: string[] = [];
  const log = (line: string): void => void lines.push(line);
  const planes = await startControlPlanes({ directory, authenticate: () => Promise.resolve(undefined), log });
  const runtime = createPodRuntime({ images: () => images, log });
  const hosts = createHostTable();
  const running = new Map<string, { connection: ApiConnection; controllers: Controllers; real?: RealControlPlane }>();
  const clients: ApiClient[] = [];

  /** With KUBEBUILDER_ASSETS a real etcd and kube-apiserver, else the endpoint of the laptop. */
  const controlPlane = async (name: string): Promise<{ connection: ApiConnection; real?: RealControlPlane }> => {
    const real = await realControlPlane(process.env, { directory: join(directory, `real-${name}`), log });
    if (real && !real.own)
      throw new Error('These tests bring controllers of their own: they do not run in a cluster that has some.');
    if (real) return { connection: real.connection, real };
    planes.create(name);
    return {
      connection: {
        server: planes.endpoint(name),
        token: planes.adminToken(name),
        certificateAuthority: planes.certificateAuthority,
      },
    };
  };

  const cluster = async (name = 'tenantry'): Promise<ApiConnection> => {
    const known = running.get(name);
    if (known) return known.connection;
    const plane = await controlPlane(name);
    const controllers = await startControllers(plane.connection, { runtime, log, hosts });
    running.set(name, { ...plane, controllers });
    return plane.connection;
  };

  const kubeconfig = async ({ server, token, certificateAuthority }: ApiConnection): Promise<string> => {
    const file = join(directory, 'kubeconfig.json');
    const config = {
      apiVersion: 'v1',
      kind: 'Config',
      clusters: [{ name: 'it', cluster: { server, 'certificate-authority-data': certificateAuthority } }],
      users: [{ name: 'it', user: { token } }],
      contexts: [{ name: 'it', context: { cluster: 'it', user: 'it' } }],
      'current-context': 'it',
    };
    await writeFile(file, JSON.stringify(config), { mode: 0o600 });
    return file;
  };

  const open = async (namespace: string, name?: string): Promise<TestCluster> => {
    const connection = await cluster(name);
    const api = openApiClient(connection);
    clients.push(api);
    await api.request('POST', pathOf(kinds.namespaces), {
      body: { apiVersion: 'v1', kind: 'Namespace', metadata: { name: namespace } },
    });
    const test: TestCluster = {
      connection,
      api,
      namespace,
      create: async (kind, objectName, content = {}) => {
        const { metadata, ...rest } = content as { metadata?: object };
        const body = { kind: kind.kind, metadata: { name: objectName, ...metadata }, ...rest };
        const apiVersion = kind.group === '' ? kind.version : `${kind.group}/${kind.version}`;
        await api.request('POST', pathOf(kind, { namespace }), { body: { apiVersion, ...body } });
      },
      get: (kind, objectName) => api.request('GET', pathOf(kind, { namespace, name: objectName })),
      find: async (kind, objectName) => {
        try {
          return await api.request('GET', pathOf(kind, { namespace, name: objectName }));
        } catch (error) {
          if (isApiError(error, 404)) return undefined;
          throw error;
        }
      },
      list: async <Type>(kind: AnyKind) =>
        (await api.request<{ items: Type[] }>('GET', pathOf(kind, { namespace }))).items,
      patch: async (kind, objectName, patch) => {
        const contentType = 'application/strategic-merge-patch+json';
        await api.request('PATCH', pathOf(kind, { namespace, name: objectName }), { body: patch, contentType });
      },
      remove: async (kind, objectName, options = {}) => {
        const body = { apiVersion: 'v1', kind: 'DeleteOptions', ...options };
        await api.request('DELETE', pathOf(kind, { namespace, name: objectName }), { body });
      },
      deployment: (objectName = 'app') => test.get(kinds.deployments, objectName),
      job: (objectName) => test.get(kinds.jobs, objectName),
      pods: () => test.list(kinds.pods),
      rolledOut: (objectName) =>
        eventually(async () => {
          const deployment = await test.deployment(objectName);
          const { status, spec, metadata } = deployment;
          const replicas = spec.replicas ?? 1;
          const counts = [status?.replicas, status?.updatedReplicas, status?.availableReplicas];
          if (status?.observedGeneration !== metadata.generation || counts.some((count) => count !== replicas))
            throw new Error(`not rolled out: ${JSON.stringify(status)}`);
          return deployment;
        }),
      kubectl: async (...args) => {
        const env = { PATH: process.env.PATH ?? '', HOME: directory, KUBECONFIG: await kubeconfig(connection) };
        const { stdout } = await run(kubectlPath, ['-n', namespace, ...args], { env });
        return stdout;
      },
    };
    return test;
  };

  return {
    planes,
    runtime,
    hosts,
    lines,
    cluster,
    open,
    stop: async () => {
      await Promise.all([...running.values()].map(({ controllers }) => controllers.close()));
      await runtime.close();
      for (const client of clients) client.close();
      await Promise.all([...running.values()].map(({ real }) => real?.close()));
      await planes.close();
      await rm(directory, { recursive: true, force: true });
    },
  };
};

/** Spec of a Deployment of the fixture app, with a readiness probe every second. */
export const appSpec = ({
  name = 'app',
  replicas = 1,
  image = 'app:1',
  container = {},
  pod = {},
  ...rest
}: {
  name?: string;
  replicas?: number;
  image?: string;
  container?: object;
  pod?: object;
  [field: string]: unknown;
} = {}) => ({
  spec: {
    replicas,
    selector: { matchLabels: { 'app.kubernetes.io/name': name } },
    template: {
      metadata: { labels: { 'app.kubernetes.io/name': name } },
      spec: {
        terminationGracePeriodSeconds: 2,
        containers: [
          {
            name: 'app',
            image,
            ports: [{ name: 'http', containerPort: 8080 }],
            readinessProbe: { httpGet: { path: '/healthz', port: 'http' }, periodSeconds: 1, failureThreshold: 1 },
            ...container,
          },
        ],
        ...pod,
      },
    },
    ...rest,
  },
});

export const serviceSpec = {
  spec: { selector: { 'app.kubernetes.io/name': 'app' }, ports: [{ name: 'http', port: 80, targetPort: 'http' }] },
};

export const ingressSpec = (...names: string[]) => ({
  spec: {
    rules: names.map((host) => ({
      host,
      http: {
        paths: [{ path: '/', pathType: 'Prefix', backend: { service: { name: 'app', port: { name: 'http' } } } }],
      },
    })),
  },
});
