import { StepFailure } from '../errors.ts';
import { secretName } from './config.ts';
import { type KubeObject, labelNames, objectName } from './object.ts';
import { appName, labelsOf, type WorkloadSpec } from './spec.ts';

/**
 * What a chart is told, in the words of its `values.yaml`. The password is not among it: a chart reads it from the Secret that
 * it is named. `fullnameOverride`, `image`, `replicaCount`, `serviceAccount` and `ingress.enabled` are those of `helm create`.
 */
export const chartValues = (
  { tenant, route, database, image, resources }: WorkloadSpec,
  { retentionDays }: { readonly retentionDays: number },
) => {
  const [domain] = route.hosts;
  const each = { cpu: resources.cpu, memory: resources.memory };
  // A registry may have a port: only what stands behind the last slash can hold the tag.
  const [, repository = image, tag = 'latest'] = /^(.+?)(?::([^:/]+))?$/.exec(image) ?? [];
  return {
    fullnameOverride: appName,
    image: { repository, tag },
    replicaCount: resources.replicas,
    serviceAccount: { create: false, name: appName },
    tenant: {
      id: tenant.id,
      name: tenant.name ?? tenant.id,
      domain,
      tier: tenant.tier,
      region: tenant.region,
      plan: tenant.plan,
    },
    database: {
      host: database.host,
      port: database.port,
      name: database.name,
      user: database.user,
      secretName,
      passwordKey: 'DATABASE_PASSWORD',
    },
    backup: { retention_days: retentionDays },
    // Tenantry switches the route itself, at the commit point of a move.
    ingress: { enabled: false, ssl_cert: route.certificateArn ?? '', custom_domain: route.customDomain ?? '' },
    resources: { requests: each, limits: each },
  };
};

/** What only Tenantry makes in a tenant's namespace: its boundary and its route. */
const reserved: ReadonlySet<string> = new Set(['Namespace', 'ResourceQuota', 'LimitRange', 'Ingress', 'HTTPRoute']);

const refuse = (object: KubeObject, why: string): never => {
  throw new StepFailure('WorkloadRefused', `the chart renders ${objectName(object)}, ${why}`);
};

const hook = 'helm.sh/hook';

/**
 * The objects of a chart as parts of a tenant's set: in its namespace, with its labels. Throws WorkloadRefused for hooks, which
 * nobody would run, for another namespace, and for what fences the tenant in or routes to it; also when there is no Service
 * `app` for the route to lead to.
 */
export const chartObjects = (spec: WorkloadSpec, rendered: readonly KubeObject[]): KubeObject[] => {
  const objects = rendered.map((object) => {
    const { metadata, kind } = object;
    if (metadata.annotations?.[hook] !== undefined)
      refuse(object, 'a hook: Tenantry applies a chart without Helm and runs none; make it an ordinary object');
    if (reserved.has(kind))
      refuse(object, `and a tenant's ${kind} is Tenantry's; leave it out, as ingress.enabled=false says`);
    if (metadata.namespace !== undefined && metadata.namespace !== spec.namespace)
      refuse(object, `outside the tenant's namespace ${spec.namespace}; use .Release.Namespace`);
    const labels = {
      ...metadata.labels,
      ...labelsOf(spec),
      [labelNames.name]: metadata.labels?.[labelNames.name] ?? appName,
    };
    return { ...object, metadata: { ...metadata, namespace: spec.namespace, labels } };
  });
  if (!objects.some(({ kind, metadata }) => kind === 'Service' && metadata.name === appName))
    throw new StepFailure(
      'WorkloadRefused',
      `the chart renders no Service ${appName} for the tenant's route; name it by fullnameOverride, as helm create does`,
    );
  return objects;
};
