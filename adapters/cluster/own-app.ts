import { StepFailure } from '../../domain/errors.ts';
import { hostOf, tenantUrl } from '../../domain/names.ts';
import { planNamed } from '../../domain/plans.ts';
import { appName, type WorkloadSpec } from '../../domain/workload/spec.ts';
import { type Placement, rowsAt } from '../registry/placements.ts';
import type { World } from '../world.ts';
import type { ChartSettings } from './helm.ts';

/** What every tenant's own app has in common; `lib` and `local` deploy what the names stand for. */
export interface OwnAppSettings {
  readonly image: string;
  readonly ingressClass: string;
  /** Certificate of the tenants' hosts; undefined where something in front ends TLS. */
  readonly certificateArn: string | undefined;
  /** Subnets of the shared database servers. */
  readonly databaseCidrs: readonly string[];
  /** Subnets of the load balancers of shared clusters. */
  readonly ingressCidrs: readonly string[];
  /** What the app is told beside its tenant and database, such as PGSSLMODE; no secrets. */
  readonly environment: Readonly<Record<string, string>>;
  /** Secret with more that the app is told, as a JSON object of texts; there need not be one. */
  readonly secretId: string;
  /** The app is this chart; undefined: Tenantry's own objects. */
  readonly chart?: ChartSettings | undefined;
  /** Role of the app's pods in AWS (EKS Pod Identity); undefined: none. */
  readonly roleArn: string | undefined;
}

/** A place whose app is the tenant's own. */
export type OwnPlace = Placement & {
  readonly tier: 'namespace' | 'cluster';
  readonly cluster: NonNullable<Placement['cluster']>;
  readonly namespace: string;
};

export const hasOwnApp = (placement: Placement): placement is OwnPlace =>
  placement.tier !== 'shared' && placement.cluster !== undefined && placement.namespace !== undefined;

/** Whom the pods of the app are to AWS. */
export const serviceAccountOf = ({ cluster, namespace }: OwnPlace) => ({
  cluster: cluster.id,
  namespace,
  serviceAccount: appName,
});

/** Throws TenantNotReady when the tenant's app at that place is the shared one. */
export const requireOwnApp = (placement: Placement): OwnPlace => {
  if (hasOwnApp(placement)) return placement;
  throw new StepFailure(
    'TenantNotReady',
    `placement ${placement.id} of tenant ${placement.tenantId} is of tier ${placement.tier} and has no app of its own`,
  );
};

const listOf = (text: string | undefined): string[] => (text ?? '').split(',').filter((part) => part !== '');

/** The part of the specification that its route needs: no secret is read. */
export const routeSpec = async (
  { registry, ownApps }: Pick<World, 'registry' | 'ownApps'>,
  placement: OwnPlace,
): Promise<Pick<WorkloadSpec, 'tenant' | 'namespace' | 'route'>> => {
  const { id, name, plan, customDomain } = await registry.tenants.require(placement.tenantId);
  const [pattern, domain] = await Promise.all([registry.routes.pattern(), registry.domains.of(id)]);
  const host = hostOf(tenantUrl(pattern, id));
  return {
    tenant: { id, name: name ?? undefined, tier: placement.tier, region: placement.cluster.region, plan },
    namespace: placement.namespace,
    route: {
      hosts: domain?.provedAt ? [host, domain.domain] : [host],
      customDomain: customDomain ?? undefined,
      ingressClass: ownApps.ingressClass,
      certificateArn: ownApps.certificateArn,
    },
  };
};

/**
 * What a tenant's own app at that place is made of, out of registry, plan and the app's login. `monitoring`: whether its
 * cluster has ServiceMonitors. Throws ServerNotReady while its database server has no address.
 */
export const ownAppSpec = async (
  world: Pick<World, 'registry' | 'ownApps' | 'secrets'>,
  placement: OwnPlace,
  { monitoring }: { readonly monitoring: boolean },
): Promise<WorkloadSpec> => {
  const { ownApps } = world;
  const base = await routeSpec(world, placement);
  const { resources, quota } = planNamed(base.tenant.plan);
  const { host, port } = rowsAt(placement);
  const { username, password } = await world.secrets.credentials(placement.appSecretId);
  const { outputs, tenantId } = placement.cluster;
  return {
    ...base,
    image: ownApps.image,
    resources,
    quota,
    database: { host, port, name: placement.database, user: username, password },
    network: {
      // A tenant's own network has database subnets of its own, beside the shared ones that it may still have rows in.
      databaseCidrs: [...ownApps.databaseCidrs, ...listOf(outputs.DatabaseCidrs)],
      ingress: { cidrs: tenantId === null ? ownApps.ingressCidrs : listOf(outputs.VpcCidr) },
    },
    monitoring,
    environment: ownApps.environment,
    secrets: await world.secrets.values(ownApps.secretId),
  };
};
