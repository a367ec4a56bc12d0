import type { V1Container, V1PodSpec } from '@kubernetes/client-node';

export type Level = 'privileged' | 'baseline' | 'restricted';

/** A rule that a pod breaks: what, and where. */
export interface Violation {
  readonly reason: string;
  readonly detail: string;
}

interface Pod {
  readonly spec: V1PodSpec;
  readonly annotations: Readonly<Record<string, string>>;
}

type Check = (pod: Pod) => Violation | undefined;

const containersOf = ({ containers = [], initContainers = [], ephemeralContainers = [] }: V1PodSpec): V1Container[] => [
  ...containers,
  ...initContainers,
  ...(ephemeralContainers as V1Container[]),
];

const quoted = (names: readonly string[]): string => names.map((name) => `"${name}"`).join(', ');

/** `container "a"` or `containers "a", "b"`. */
const named = (containers: readonly V1Container[]): string =>
  `${containers.length === 1 ? 'container' : 'containers'} ${quoted(containers.map(({ name }) => name))}`;

const broken = (spec: V1PodSpec, rule: (container: V1Container) => boolean): V1Container[] =>
  containersOf(spec).filter(rule);

const hostNamespaces: Check = ({ spec }) => {
  const used = (['hostNetwork', 'hostPID', 'hostIPC'] as const).filter((name) => spec[name] === true);
  if (used.length === 0) return undefined;
  return { reason: 'host namespaces', detail: used.map((name) => `${name}=true`).join(', ') };
};

const privileged: Check = ({ spec }) => {
  const found = broken(spec, ({ securityContext }) => securityContext?.privileged === true);
  if (found.length === 0) return undefined;
  return { reason: 'privileged', detail: `${named(found)} must not set securityContext.privileged=true` };
};

const defaultCapabilities = new Set([
  'AUDIT_WRITE',
  'CHOWN',
  'DAC_OVERRIDE',
  'FOWNER',
  'FSETID',
  'KILL',
  'MKNOD',
  'NET_BIND_SERVICE',
  'SETFCAP',
  'SETGID',
  'SETPCAP',
  'SETUID',
  'SYS_CHROOT',
]);

const addedCapabilities: Check = ({ spec }) => {
  const extra = (container: V1Container): string[] =>
    (container.securityContext?.capabilities?.add ?? []).filter((name) => !defaultCapabilities.has(name));
  const found = broken(spec, (container) => extra(container).length > 0);
  if (found.length === 0) return undefined;
  const names = [...new Set(found.flatMap(extra))].sort();
  return {
    reason: 'non-default capabilities',
    detail: `${named(found)} must not include ${quoted(names)} in securityContext.capabilities.add`,
  };
};

const hostPath: Check = ({ spec }) => {
  const found = (spec.volumes ?? []).filter((volume) => volume.hostPath !== undefined);
  if (found.length === 0) return undefined;
  return {
    reason: 'hostPath volumes',
    detail: `${found.length === 1 ? 'volume' : 'volumes'} ${quoted(found.map(({ name }) => name))}`,
  };
};

const hostPorts: Check = ({ spec }) => {
  const portsOf = ({ ports = [] }: V1Container): number[] =>
    ports.map(({ hostPort = 0 }) => hostPort).filter((port) => port > 0);
  const found = broken(spec, (container) => portsOf(container).length > 0);
  if (found.length === 0) return undefined;
  const ports = [...new Set(found.flatMap(portsOf))].sort((a, b) => a - b);
  const uses = found.length === 1 ? 'uses' : 'use';
  return {
    reason: 'hostPort',
    detail: `${named(found)} ${uses} ${ports.length === 1 ? 'hostPort' : 'hostPorts'} ${ports.join(', ')}`,
  };
};

const hostProcess: Check = ({ spec }) => {
  const found = broken(spec, ({ securityContext }) => securityContext?.windowsOptions?.hostProcess === true);
  const pod = spec.securityContext?.windowsOptions?.hostProcess === true;
  if (found.length === 0 && !pod) return undefined;
  const who = [...(pod ? ['pod'] : []), ...(found.length > 0 ? [named(found)] : [])].join(' and ');
  return { reason: 'hostProcess', detail: `${who} must not set securityContext.windowsOptions.hostProcess=true` };
};

const procMount: Check = ({ spec }) => {
  const found = broken(spec, ({ securityContext }) => (securityContext?.procMount ?? 'Default') !== 'Default');
  if (found.length === 0) return undefined;
  return { reason: 'procMount', detail: `${named(found)} must not set securityContext.procMount to "Unmasked"` };
};

const seccompUnconfined: Check = ({ spec }) => {
  const found = broken(spec, ({ securityContext }) => securityContext?.seccompProfile?.type === 'Unconfined');
  const pod = spec.securityContext?.seccompProfile?.type === 'Unconfined';
  if (found.length === 0 && !pod) return undefined;
  const who = [...(pod ? ['pod'] : []), ...(found.length > 0 ? [named(found)] : [])].join(' and ');
  return {
    reason: 'seccompProfile',
    detail: `${who} must not set securityContext.seccompProfile.type to "Unconfined"`,
  };
};

const safeSysctls = new Set([
  'kernel.shm_rmid_forced',
  'net.ipv4.ip_local_port_range',
  'net.ipv4.ip_local_reserved_ports',
  'net.ipv4.ip_unprivileged_port_start',
  'net.ipv4.ping_group_range',
  'net.ipv4.tcp_fin_timeout',
  'net.ipv4.tcp_keepalive_intvl',
  'net.ipv4.tcp_keepalive_probes',
  'net.ipv4.tcp_keepalive_time',
  'net.ipv4.tcp_rmem',
  'net.ipv4.tcp_syncookies',
  'net.ipv4.tcp_wmem',
]);

const sysctls: Check = ({ spec }) => {
  const found = (spec.securityContext?.sysctls ?? []).map(({ name }) => name).filter((name) => !safeSysctls.has(name));
  return found.length === 0 ? undefined : { reason: 'forbidden sysctls', detail: found.join(', ') };
};

const allowedVolumes = [
  'configMap',
  'csi',
  'downwardAPI',
  'emptyDir',
  'ephemeral',
  'image',
  'persistentVolumeClaim',
  'projected',
  'secret',
];

const volumeTypes: Check = ({ spec }) => {
  const typeOf = (volume: object): string => Object.keys(volume).find((name) => name !== 'name') ?? 'emptyDir';
  const found = (spec.volumes ?? []).filter((volume) => !allowedVolumes.includes(typeOf(volume)));
  if (found.length === 0) return undefined;
  const types = [...new Set(found.map(typeOf))].sort();
  return {
    reason: 'restricted volume types',
    detail: `${found.length === 1 ? 'volume' : 'volumes'} ${quoted(found.map(({ name }) => name))} ${found.length === 1 ? 'uses' : 'use'} restricted volume ${types.length === 1 ? 'type' : 'types'} ${quoted(types)}`,
  };
};

const escalation: Check = ({ spec }) => {
  const found = broken(spec, ({ securityContext }) => securityContext?.allowPrivilegeEscalation !== false);
  if (found.length === 0) return undefined;
  return {
    reason: 'allowPrivilegeEscalation != false',
    detail: `${named(found)} must set securityContext.allowPrivilegeEscalation=false`,
  };
};

const keptCapabilities: Check = ({ spec }) => {
  const keeps = broken(spec, ({ securityContext }) => !securityContext?.capabilities?.drop?.includes('ALL'));
  const addsOf = ({ securityContext }: V1Container): string[] =>
    (securityContext?.capabilities?.add ?? []).filter((name) => name !== 'NET_BIND_SERVICE');
  const adds = broken(spec, (container) => addsOf(container).length > 0);
  if (keeps.length === 0 && adds.length === 0) return undefined;
  const detail = [
    ...(keeps.length > 0 ? [`${named(keeps)} must set securityContext.capabilities.drop=["ALL"]`] : []),
    ...(adds.length > 0
      ? [
          `${named(adds)} must not include ${quoted([...new Set(adds.flatMap(addsOf))].sort())} in securityContext.capabilities.add`,
        ]
      : []),
  ];
  return { reason: 'unrestricted capabilities', detail: detail.join('; ') };
};

const runAsNonRoot: Check = ({ spec }) => {
  const pod = spec.securityContext?.runAsNonRoot;
  const against = broken(spec, ({ securityContext }) => securityContext?.runAsNonRoot === false);
  const silent = broken(spec, ({ securityContext }) => securityContext?.runAsNonRoot === undefined);
  if (against.length > 0 || pod === false) {
    const who = [...(pod === false ? ['pod'] : []), ...(against.length > 0 ? [named(against)] : [])].join(' and ');
    return { reason: 'runAsNonRoot != true', detail: `${who} must not set securityContext.runAsNonRoot=false` };
  }
  if (pod === true || silent.length === 0) return undefined;
  return {
    reason: 'runAsNonRoot != true',
    detail: `pod or ${named(silent)} must set securityContext.runAsNonRoot=true`,
  };
};

const runAsUser: Check = ({ spec }) => {
  const pod = spec.securityContext?.runAsUser === 0;
  const found = broken(spec, ({ securityContext }) => securityContext?.runAsUser === 0);
  if (!pod && found.length === 0) return undefined;
  const who = [...(pod ? ['pod'] : []), ...(found.length > 0 ? [named(found)] : [])].join(' and ');
  return { reason: 'runAsUser=0', detail: `${who} must not set runAsUser=0` };
};

const confined = new Set(['RuntimeDefault', 'Localhost']);

const seccompConfined: Check = ({ spec }) => {
  const pod = spec.securityContext?.seccompProfile?.type;
  const against = broken(spec, ({ securityContext }) => securityContext?.seccompProfile?.type === 'Unconfined');
  const wanted = 'securityContext.seccompProfile.type to "RuntimeDefault" or "Localhost"';
  if (against.length > 0 || pod === 'Unconfined') {
    const who = [...(pod === 'Unconfined' ? ['pod'] : []), ...(against.length > 0 ? [named(against)] : [])].join(
      ' and ',
    );
    return {
      reason: 'seccompProfile',
      detail: `${who} must not set securityContext.seccompProfile.type to "Unconfined"`,
    };
  }
  const silent = broken(spec, ({ securityContext }) => !confined.has(securityContext?.seccompProfile?.type ?? ''));
  if (confined.has(pod ?? '') || silent.length === 0) return undefined;
  return { reason: 'seccompProfile', detail: `pod or ${named(silent)} must set ${wanted}` };
};

const baseline: readonly Check[] = [
  hostNamespaces,
  hostPath,
  hostPorts,
  hostProcess,
  addedCapabilities,
  privileged,
  procMount,
  seccompUnconfined,
  sysctls,
];

/** Restricted rules stand for the baseline rules of the same field, or a pod would be told the same twice. */
const restricted: readonly Check[] = [
  ...baseline.filter((check) => ![addedCapabilities, seccompUnconfined, hostPath].includes(check)),
  escalation,
  keptCapabilities,
  volumeTypes,
  runAsNonRoot,
  runAsUser,
  seccompConfined,
];

/** Everything that a pod breaks of a level. Source: Kubernetes documentation, Pod Security Standards. AppArmor and SELinux are not judged. */
export const violationsOf = (level: Level, pod: Pod): Violation[] => {
  if (level === 'privileged') return [];
  return (level === 'baseline' ? baseline : restricted)
    .map((check) => check(pod))
    .filter((violation) => violation !== undefined);
};
