import type { V1ContainerStatus, V1Pod, V1Service } from '@kubernetes/client-node';

/** `45s`, `3m20s`, `5h`, `12d`, cut as kubectl does. */
export const age = (time: string | Date | undefined, now: number = Date.now()): string => {
  if (!time) return '<unknown>';
  const seconds = Math.max(0, Math.floor((now - new Date(time).getTime()) / 1000));
  if (seconds < 120) return `${seconds}s`;
  const minutes = Math.floor(seconds / 60);
  if (minutes < 10) return seconds % 60 === 0 ? `${minutes}m` : `${minutes}m${seconds % 60}s`;
  if (minutes < 180) return `${minutes}m`;
  const hours = Math.floor(minutes / 60);
  if (hours < 8) return minutes % 60 === 0 ? `${hours}h` : `${hours}h${minutes % 60}m`;
  if (hours < 48) return `${hours}h`;
  return `${Math.floor(hours / 24)}d`;
};

export const labelsText = (labels: Readonly<Record<string, string>> | undefined): string =>
  Object.entries(labels ?? {})
    .map(([key, value]) => `${key}=${value}`)
    .join(',') || '<none>';

export const sum = (statuses: readonly V1ContainerStatus[], of: (status: V1ContainerStatus) => number): number =>
  statuses.reduce((total, status) => total + of(status), 0);

/** What `kubectl get pods` calls the status: the newest reason of a container, else that of the pod, else its phase. */
export const podStatus = ({ metadata, status }: V1Pod): string => {
  if (metadata?.deletionTimestamp) return 'Terminating';
  const states = (status?.containerStatuses ?? []).map(
    ({ state }) => state?.waiting?.reason ?? state?.terminated?.reason,
  );
  return states.findLast((reason) => reason !== undefined) ?? status?.reason ?? status?.phase ?? 'Unknown';
};

export const servicePorts = ({ spec }: V1Service): string =>
  (spec?.ports ?? [])
    .map(({ port, nodePort, protocol }) => (nodePort ? `${port}:${nodePort}/${protocol}` : `${port}/${protocol}`))
    .join(',') || '<none>';

export const loadBalancer = (ingress: readonly { hostname?: string; ip?: string }[] | undefined): string =>
  (ingress ?? []).map(({ hostname, ip }) => hostname ?? ip).join(',');

export const roleText = (roleRef: unknown): string => {
  const { kind, name } = roleRef as { kind: string; name: string };
  return `${kind}/${name}`;
};
