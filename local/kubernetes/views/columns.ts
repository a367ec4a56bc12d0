import type {
  V1CronJob,
  V1DaemonSet,
  V1Ingress,
  V1Job,
  V1PersistentVolumeClaim,
  V1Pod,
  V1PodDisruptionBudget,
  V1ReplicaSet,
  V1Service,
  V1StatefulSet,
  V2HorizontalPodAutoscaler,
} from '@kubernetes/client-node';
import type { KubeObject } from '../object.ts';
import { age, labelsText, loadBalancer, podStatus, roleText, servicePorts, sum } from './cells.ts';

export interface TableColumn {
  readonly name: string;
  readonly type?: 'string' | 'integer';
  /** Printed by `-o wide` alone. */
  readonly wide?: true;
  readonly value: (object: KubeObject) => string | number | boolean;
}

const as =
  <Model>(read: (model: Model) => string | number | boolean | undefined | null) =>
  (object: KubeObject): string | number | boolean =>
    read(object as unknown as Model) ?? '<none>';

const containersOf =
  (read: 'name' | 'image') =>
  (object: KubeObject): string => {
    const { template } = object.spec as NonNullable<V1StatefulSet['spec']>;
    return (template?.spec?.containers ?? []).map((container) => container[read]).join(',');
  };

const workloadTail: readonly TableColumn[] = [
  { name: 'Age', value: ({ metadata }) => age(metadata.creationTimestamp) },
  { name: 'Containers', wide: true, value: containersOf('name') },
  { name: 'Images', wide: true, value: containersOf('image') },
];

const ageColumn: TableColumn = { name: 'Age', value: ({ metadata }) => age(metadata.creationTimestamp) };

const count = (name: string, value: TableColumn['value']): TableColumn => ({ name, type: 'integer', value });

const dataColumn = count(
  'Data',
  ({ data, binaryData }) => Object.keys({ ...(data as object), ...(binaryData as object) }).length,
);

/** The columns behind the name, by kind. Source: k8s.io/kubernetes pkg/printers/internalversion/printers.go. */
const columns: Readonly<Record<string, readonly TableColumn[]>> = {
  Namespace: [
    { name: 'Status', value: ({ status }) => (status as { phase?: string } | undefined)?.phase ?? '' },
    ageColumn,
  ],
  Node: [
    {
      name: 'Status',
      value: ({ status }) => {
        const { conditions = [] } = (status ?? {}) as { conditions?: { type: string; status: string }[] };
        return conditions.some(({ type, status }) => type === 'Ready' && status === 'True') ? 'Ready' : 'NotReady';
      },
    },
    { name: 'Roles', value: () => '<none>' },
    ageColumn,
    {
      name: 'Version',
      value: ({ status }) =>
        (status as { nodeInfo?: { kubeletVersion?: string } } | undefined)?.nodeInfo?.kubeletVersion ?? '',
    },
  ],
  Pod: [
    {
      name: 'Ready',
      value: as<V1Pod>(({ spec, status }) => {
        const ready = (status?.containerStatuses ?? []).filter((container) => container.ready).length;
        return `${ready}/${spec?.containers.length ?? 0}`;
      }),
    },
    { name: 'Status', value: as<V1Pod>(podStatus) },
    {
      name: 'Restarts',
      value: as<V1Pod>(({ status }) =>
        String(sum(status?.containerStatuses ?? [], ({ restartCount }) => restartCount)),
      ),
    },
    ageColumn,
    { name: 'IP', wide: true, value: as<V1Pod>(({ status }) => status?.podIP) },
    { name: 'Node', wide: true, value: as<V1Pod>(({ spec }) => spec?.nodeName) },
  ],
  Service: [
    { name: 'Type', value: as<V1Service>(({ spec }) => spec?.type) },
    { name: 'Cluster-IP', value: as<V1Service>(({ spec }) => spec?.clusterIP) },
    {
      name: 'External-IP',
      value: as<V1Service>(({ spec, status }) => {
        if (spec?.type === 'ExternalName') return spec.externalName;
        return loadBalancer(status?.loadBalancer?.ingress) || (spec?.type === 'LoadBalancer' ? '<pending>' : '<none>');
      }),
    },
    { name: 'Port(s)', value: as<V1Service>(servicePorts) },
    ageColumn,
    { name: 'Selector', wide: true, value: as<V1Service>(({ spec }) => labelsText(spec?.selector)) },
  ],
  ServiceAccount: [count('Secrets', ({ secrets }) => ((secrets as unknown[] | undefined) ?? []).length), ageColumn],
  Secret: [{ name: 'Type', value: ({ type }) => String(type) }, dataColumn, ageColumn],
  ConfigMap: [dataColumn, ageColumn],
  Deployment: [
    {
      name: 'Ready',
      value: as<V1StatefulSet>(({ spec, status }) => `${status?.readyReplicas ?? 0}/${spec?.replicas ?? 0}`),
    },
    count(
      'Up-to-date',
      as<V1StatefulSet>(({ status }) => status?.updatedReplicas ?? 0),
    ),
    count(
      'Available',
      as<V1StatefulSet>(({ status }) => status?.availableReplicas ?? 0),
    ),
    ...workloadTail,
  ],
  StatefulSet: [
    {
      name: 'Ready',
      value: as<V1StatefulSet>(({ spec, status }) => `${status?.readyReplicas ?? 0}/${spec?.replicas ?? 0}`),
    },
    ...workloadTail,
  ],
  ReplicaSet: [
    count(
      'Desired',
      as<V1ReplicaSet>(({ spec }) => spec?.replicas ?? 0),
    ),
    count(
      'Current',
      as<V1ReplicaSet>(({ status }) => status?.replicas ?? 0),
    ),
    count(
      'Ready',
      as<V1ReplicaSet>(({ status }) => status?.readyReplicas ?? 0),
    ),
    ...workloadTail,
  ],
  DaemonSet: [
    count(
      'Desired',
      as<V1DaemonSet>(({ status }) => status?.desiredNumberScheduled ?? 0),
    ),
    count(
      'Current',
      as<V1DaemonSet>(({ status }) => status?.currentNumberScheduled ?? 0),
    ),
    count(
      'Ready',
      as<V1DaemonSet>(({ status }) => status?.numberReady ?? 0),
    ),
    ...workloadTail,
  ],
  Job: [
    {
      name: 'Status',
      value: as<V1Job>(
        ({ status }) => status?.conditions?.find((condition) => condition.status === 'True')?.type ?? 'Running',
      ),
    },
    {
      name: 'Completions',
      value: as<V1Job>(({ spec, status }) => `${status?.succeeded ?? 0}/${spec?.completions ?? 1}`),
    },
    ageColumn,
  ],
  CronJob: [
    { name: 'Schedule', value: as<V1CronJob>(({ spec }) => spec?.schedule) },
    { name: 'Suspend', value: as<V1CronJob>(({ spec }) => String(spec?.suspend === true)) },
    count(
      'Active',
      as<V1CronJob>(({ status }) => status?.active?.length ?? 0),
    ),
    ageColumn,
  ],
  Ingress: [
    { name: 'Class', value: as<V1Ingress>(({ spec }) => spec?.ingressClassName) },
    {
      name: 'Hosts',
      value: as<V1Ingress>(({ spec }) => (spec?.rules ?? []).map(({ host }) => host ?? '*').join(',') || '*'),
    },
    { name: 'Address', value: as<V1Ingress>(({ status }) => loadBalancer(status?.loadBalancer?.ingress)) },
    { name: 'Ports', value: as<V1Ingress>(({ spec }) => (spec?.tls?.length ? '80, 443' : '80')) },
    ageColumn,
  ],
  NetworkPolicy: [
    {
      name: 'Pod-Selector',
      value: ({ spec }) =>
        labelsText((spec as { podSelector?: { matchLabels?: Record<string, string> } }).podSelector?.matchLabels),
    },
    ageColumn,
  ],
  PodDisruptionBudget: [
    { name: 'Min Available', value: as<V1PodDisruptionBudget>(({ spec }) => String(spec?.minAvailable ?? 'N/A')) },
    { name: 'Max Unavailable', value: as<V1PodDisruptionBudget>(({ spec }) => String(spec?.maxUnavailable ?? 'N/A')) },
    count(
      'Allowed Disruptions',
      as<V1PodDisruptionBudget>(({ status }) => status?.disruptionsAllowed ?? 0),
    ),
    ageColumn,
  ],
  HorizontalPodAutoscaler: [
    {
      name: 'Reference',
      value: as<V2HorizontalPodAutoscaler>(
        ({ spec }) => spec && `${spec.scaleTargetRef.kind}/${spec.scaleTargetRef.name}`,
      ),
    },
    { name: 'MinPods', value: as<V2HorizontalPodAutoscaler>(({ spec }) => String(spec?.minReplicas ?? '<unset>')) },
    count(
      'MaxPods',
      as<V2HorizontalPodAutoscaler>(({ spec }) => spec?.maxReplicas ?? 0),
    ),
    count(
      'Replicas',
      as<V2HorizontalPodAutoscaler>(({ status }) => status?.currentReplicas ?? 0),
    ),
    ageColumn,
  ],
  PersistentVolumeClaim: [
    { name: 'Status', value: as<V1PersistentVolumeClaim>(({ status }) => status?.phase) },
    { name: 'Volume', value: as<V1PersistentVolumeClaim>(({ spec }) => spec?.volumeName ?? '') },
    { name: 'StorageClass', value: as<V1PersistentVolumeClaim>(({ spec }) => spec?.storageClassName ?? '') },
    ageColumn,
  ],
  ResourceQuota: [
    {
      name: 'Request',
      value: ({ spec, status }) => {
        const { hard = {} } = spec as { hard?: Record<string, string> };
        const { used = {} } = (status ?? {}) as { used?: Record<string, string> };
        return Object.keys(hard)
          .sort()
          .map((name) => `${name}: ${used[name] ?? 0}/${hard[name]}`)
          .join(', ');
      },
    },
    ageColumn,
  ],
  RoleBinding: [{ name: 'Role', value: ({ roleRef }) => roleText(roleRef) }, ageColumn],
  ClusterRoleBinding: [{ name: 'Role', value: ({ roleRef }) => roleText(roleRef) }, ageColumn],
  Event: [
    {
      name: 'Last Seen',
      value: ({ lastTimestamp, metadata }) => age((lastTimestamp as string) ?? metadata.creationTimestamp),
    },
    { name: 'Type', value: ({ type }) => String(type ?? '') },
    { name: 'Reason', value: ({ reason }) => String(reason ?? '') },
    {
      name: 'Object',
      value: ({ involvedObject }) => {
        const { kind = '', name = '' } = (involvedObject ?? {}) as { kind?: string; name?: string };
        return `${kind.toLowerCase()}/${name}`;
      },
    },
    { name: 'Message', value: ({ message }) => String(message ?? '') },
  ],
  PriorityClass: [
    count('Value', ({ value }) => Number(value)),
    { name: 'Global-Default', value: ({ globalDefault }) => String(globalDefault === true) },
    ageColumn,
  ],
};

export const columnsOf = (kind: string): readonly TableColumn[] => columns[kind] ?? [ageColumn];
