import { type KubeObject, labelNames, manager } from './object.ts';

/** What one pod of the app gets, as Kubernetes quantities, and how many there are. */
export interface WorkloadResources {
  readonly replicas: number;
  /** `250m`, `1`. */
  readonly cpu: string;
  /** `512Mi`, `2Gi`. */
  readonly memory: string;
}

/** What the namespace may hold together. */
export interface WorkloadQuota {
  /** At least twice the replicas: a rollout adds a pod before it takes one away. */
  readonly pods: number;
  /** Of all volume claims: `10Gi`; `0Gi` forbids them. */
  readonly storage: string;
  readonly loadBalancers: number;
}

/** Everything that the objects of one tenant's own app are made of. */
export interface WorkloadSpec {
  readonly tenant: {
    readonly id: string;
    /** As people write it; an annotation, since labels take no spaces. */
    readonly name?: string | undefined;
    readonly tier: 'namespace' | 'cluster';
    readonly region: string;
    readonly plan: string;
  };
  readonly namespace: string;
  readonly image: string;
  readonly resources: WorkloadResources;
  readonly quota: WorkloadQuota;
  /** Seconds without progress after which a rollout has failed; 300 unless told. */
  readonly progressSeconds?: number | undefined;
  readonly route: {
    /** What leads to the app. */
    readonly hosts: readonly string[];
    /** A domain that the app answers for; among `hosts` once it is proved, so that its proof restarts nothing. */
    readonly customDomain?: string | undefined;
    /** Name of the IngressClass. */
    readonly ingressClass: string;
    readonly certificateArn?: string | undefined;
  };
  readonly database: {
    readonly host: string;
    readonly port: number;
    readonly name: string;
    readonly user: string;
    /** Stands in Secret `db` and nowhere else. */
    readonly password: string;
  };
  readonly network: {
    /** Where database servers may be: the tenant's or the platform's database subnets. */
    readonly databaseCidrs: readonly string[];
    /** Where requests come from: subnets of the load balancer, or the namespace of a gateway that runs in the cluster. */
    readonly ingress: { readonly cidrs: readonly string[] } | { readonly namespace: string };
  };
  /** Whether the cluster has ServiceMonitors: their kind is no part of Kubernetes. */
  readonly monitoring: boolean;
  /** More that the app is told, such as PGSSLMODE; no secrets. */
  readonly environment?: Readonly<Record<string, string>> | undefined;
  /** More that the app is told and nobody else; it stands in Secret `db` too. */
  readonly secrets?: Readonly<Record<string, string>> | undefined;
  /** Group of identities of the tenant's own people that may look into the namespace; nobody unless told. */
  readonly staffGroup?: string | undefined;
}

/** Name of the Deployment, Service, Ingress and ServiceAccount, and of the label by which they find the pods. */
export const appName = 'app';

/** Port of the container; the app reads it from PORT. */
export const containerPort = 8_080;

/** A label's value takes at most 63 characters and begins and ends with a letter or digit (Kubernetes, "Labels and Selectors"). */
const labelValue = (text: string): string => text.slice(0, 63).replaceAll(/^[^A-Za-z0-9]+|[^A-Za-z0-9]+$/g, '');

/** Labels of every object of the tenant. */
export const labelsOf = ({ tenant }: Pick<WorkloadSpec, 'tenant'>): Record<string, string> => ({
  [labelNames.name]: appName,
  [labelNames.managedBy]: manager,
  [labelNames.partOf]: manager,
  [labelNames.tenant]: tenant.id,
  [labelNames.tier]: tenant.tier,
  [labelNames.region]: labelValue(tenant.region),
  [labelNames.plan]: labelValue(tenant.plan),
});

/** The one label that selectors have: they cannot be changed later (Kubernetes, Deployment `spec.selector` is immutable). */
export const appSelector: Readonly<Record<string, string>> = { [labelNames.name]: appName };

/** An object in the tenant's namespace. */
export const namespaced = (
  spec: WorkloadSpec,
  apiVersion: string,
  kind: string,
  name: string,
  rest: Readonly<Record<string, unknown>>,
): KubeObject => ({
  apiVersion,
  kind,
  metadata: { name, namespace: spec.namespace, labels: labelsOf(spec) },
  ...rest,
});
