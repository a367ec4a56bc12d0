import type { ApiClient } from '../api-client.ts';
import type { Kind } from './kinds.ts';

export interface ApiResource extends Kind {
  readonly namespaced: boolean;
  readonly verbs: readonly string[];
}

interface GroupDiscovery {
  readonly metadata?: { readonly name?: string };
  readonly versions: readonly {
    readonly version: string;
    readonly resources?: readonly {
      readonly resource: string;
      readonly responseKind: { readonly kind: string };
      readonly scope: 'Namespaced' | 'Cluster';
      readonly verbs: readonly string[];
    }[];
  }[];
}

const accept = 'application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList';

/** Every kind that the cluster serves now, of each group in the version that it prefers (aggregated discovery, Kubernetes 1.30). */
export const discover = async (client: ApiClient): Promise<ApiResource[]> => {
  const answers = await Promise.all(
    ['/api', '/apis'].map((path) => client.request<{ items: GroupDiscovery[] }>('GET', path, { accept })),
  );
  const found = new Map<string, ApiResource>();
  for (const { metadata, versions } of answers.flatMap(({ items }) => items)) {
    const group = metadata?.name ?? '';
    for (const { version, resources } of versions) {
      for (const { resource, responseKind, scope, verbs } of resources ?? []) {
        const key = `${group}/${resource}`;
        if (found.has(key)) continue;
        const namespaced = scope === 'Namespaced';
        found.set(key, { group, version, kind: responseKind.kind, plural: resource, namespaced, verbs });
      }
    }
  }
  return [...found.values()];
};
