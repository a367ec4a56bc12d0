import type { KubeObject } from './object.ts';
import { namespaced, type WorkloadSpec } from './spec.ts';

/** Name of the ConfigMap and of the Secret that the app's environment is read from. */
export const configName = 'app';
export const secretName = 'db';

/** What the app is told: its tenant, its hosts and its database. The password alone is secret. */
export const configObjects = (spec: WorkloadSpec): KubeObject[] => {
  const { tenant, route, database, environment, secrets = {} } = spec;
  const { customDomain } = route;
  return [
    namespaced(spec, 'v1', 'Secret', secretName, {
      type: 'Opaque',
      // Base64 `data`, not `stringData`: the API folds the latter into the former, which each apply would do anew.
      data: Object.fromEntries(
        Object.entries({ ...secrets, DATABASE_PASSWORD: database.password }).map(([key, value]) => [
          key,
          base64(value),
        ]),
      ),
    }),
    namespaced(spec, 'v1', 'ConfigMap', configName, {
      data: {
        ...environment,
        TENANTRY_TENANT_ID: tenant.id,
        TENANTRY_HOSTS: [...new Set([...route.hosts, ...(customDomain ? [customDomain] : [])])].join(','),
        DATABASE_HOST: database.host,
        DATABASE_PORT: String(database.port),
        DATABASE_NAME: database.name,
        DATABASE_USER: database.user,
      },
    }),
  ];
};

const base64 = (text: string): string => btoa(String.fromCodePoint(...new TextEncoder().encode(text)));
