import type { Container, EnvVariable, KeyReference, Pod } from '../controllers/workloads.ts';

export interface KeySources {
  /** Key -> text of a Secret or ConfigMap of the pod's namespace; undefined when there is none of that name. */
  secret(name: string): Promise<Readonly<Record<string, string>> | undefined>;
  configMap(name: string): Promise<Readonly<Record<string, string>> | undefined>;
}

/** Why a container cannot have its environment now: CreateContainerConfigError. */
export class ConfigError extends Error {
  override readonly name = 'ConfigError';
}

const fieldOf = ({ metadata, spec, status }: Pod, path: string): string => {
  const entry = /^metadata\.(labels|annotations)\['([^']+)'\]$/.exec(path);
  if (entry) return (entry[1] === 'labels' ? metadata.labels : metadata.annotations)?.[entry[2] ?? ''] ?? '';
  const fields: Readonly<Record<string, string | undefined>> = {
    'metadata.name': metadata.name,
    'metadata.namespace': metadata.namespace,
    'metadata.uid': metadata.uid,
    'spec.nodeName': spec.nodeName,
    'spec.serviceAccountName': spec.serviceAccountName ?? 'default',
    'status.podIP': status?.podIP ?? '127.0.0.1',
    'status.podIPs': status?.podIP ?? '127.0.0.1',
    'status.hostIP': '127.0.0.1',
  };
  const value = fields[path];
  if (value === undefined) throw new ConfigError(`unsupported fieldPath: ${path}`);
  return value;
};

/** `$(NAME)` is what NAME is so far, `$$(NAME)` stays as it stands with one dollar, an unknown name stays. */
export const expand = (text: string, env: Readonly<Record<string, string>>): string =>
  text.replaceAll(/\$(\$)?\(([^)]+)\)/g, (whole, escaped: string | undefined, name: string) =>
    escaped === undefined ? (env[name] ?? whole) : whole.slice(1),
  );

const keyed = async (
  kind: 'secret' | 'configmap',
  { name = '', key, optional }: KeyReference,
  read: KeySources['secret'],
): Promise<string | undefined> => {
  const keys = await read(name);
  const value = keys?.[key];
  if (value !== undefined || optional) return value;
  throw new ConfigError(keys ? `couldn't find key ${key} in ${kind} ${name}` : `${kind} "${name}" not found`);
};

const valueFor = async (
  { name, value, valueFrom }: EnvVariable,
  pod: Pod,
  sources: KeySources,
  env: Readonly<Record<string, string>>,
): Promise<string | undefined> => {
  if (!valueFrom) return expand(value ?? '', env);
  if (valueFrom.secretKeyRef) return keyed('secret', valueFrom.secretKeyRef, sources.secret);
  if (valueFrom.configMapKeyRef) return keyed('configmap', valueFrom.configMapKeyRef, sources.configMap);
  if (valueFrom.fieldRef) return fieldOf(pod, valueFrom.fieldRef.fieldPath);
  throw new ConfigError(`env ${name}: resourceFieldRef is not offered on a laptop`);
};

/** The environment of a container, `envFrom` first, `env` over it. Throws ConfigError with the kubelet's words. */
export const environmentOf = async (
  container: Container,
  pod: Pod,
  sources: KeySources,
): Promise<Record<string, string>> => {
  const env: Record<string, string> = {};
  for (const { prefix = '', secretRef, configMapRef } of container.envFrom ?? []) {
    const reference = secretRef ?? configMapRef;
    const name = reference?.name ?? '';
    const keys = secretRef ? await sources.secret(name) : await sources.configMap(name);
    if (!keys && !reference?.optional)
      throw new ConfigError(`${secretRef ? 'secret' : 'configmap'} "${name}" not found`);
    for (const [key, value] of Object.entries(keys ?? {})) env[`${prefix}${key}`] = value;
  }
  for (const variable of container.env ?? []) {
    const value = await valueFor(variable, pod, sources, env);
    if (value !== undefined) env[variable.name] = value;
  }
  return env;
};
