import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type Cluster, openClusterWith } from '../../../adapters/cluster/cluster.ts';
import { type ControlPlanes, startControlPlanes } from '../../../local/kubernetes/control-planes.ts';
import { startControllers } from '../../../local/kubernetes/controllers.ts';
import type { FedHostTable } from '../../../local/kubernetes/hosts.ts';
import { createPodRuntime } from '../../../local/kubernetes/pod-runtime.ts';

export interface TestClusters {
  readonly planes: ControlPlanes;
  /** A cluster of that name with an administrator's rights, made when it is first asked for. */
  cluster(name: string): Cluster;
  /** Runs controllers and kubelet in a cluster; `images` name the program of each image. */
  control(
    name: string,
    options?: { readonly images?: ReadonlyMap<string, string>; readonly hosts?: FedHostTable },
  ): Promise<void>;
  stop(): Promise<void>;
}

/** The laptop's control planes in a temporary directory, gone after `stop()`. */
export const startTestClusters = async (): Promise<TestClusters> => {
  const directory = await mkdtemp(join(tmpdir(), 'tenantry-clusters-'));
  const planes = await startControlPlanes({ directory, authenticate: async () => undefined, log: () => undefined });
  const opened = new Map<string, Cluster>();
  const closing: (() => Promise<void>)[] = [];
  return {
    planes,
    cluster: (name) => {
      const known = opened.get(name);
      if (known) return known;
      planes.create(name);
      const { certificateAuthority } = planes;
      const cluster = openClusterWith(
        { name, endpoint: planes.endpoint(name), certificateAuthority },
        { current: async () => planes.adminToken(name), forget: () => undefined },
      );
      opened.set(name, cluster);
      return cluster;
    },
    control: async (name, { images = new Map(), hosts } = {}) => {
      const log = (): void => undefined;
      const controllers = await startControllers(
        {
          server: planes.endpoint(name),
          token: planes.adminToken(name),
          certificateAuthority: planes.certificateAuthority,
        },
        { runtime: createPodRuntime({ images: () => images, log }), log, ...(hosts && { hosts }) },
      );
      closing.push(controllers.close);
    },
    stop: async () => {
      await Promise.all(closing.map((close) => close()));
      for (const cluster of opened.values()) cluster.close();
      await planes.close();
      await rm(directory, { recursive: true, force: true });
    },
  };
};
