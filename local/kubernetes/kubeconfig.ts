/** A cluster as EKS describes it. */
export interface KubeconfigCluster {
  readonly name: string;
  readonly endpoint: string;
  /** Base64 PEM */
  readonly certificateAuthority: string;
}

/** A program that prints an ExecCredential; `--cluster NAME` is added to its arguments. */
export interface TokenCommand {
  readonly command: string;
  readonly args: readonly string[];
  readonly env: Readonly<Record<string, string>>;
}

/** The first line of every file that `tenantry kubeconfig` writes: it replaces no other. */
export const kubeconfigMark = '# Written by tenantry kubeconfig, which replaces this file.';

const quoted = (text: string): string => JSON.stringify(text);

const clusterLines = ({ name, endpoint, certificateAuthority }: KubeconfigCluster): string[] => [
  `  - name: ${quoted(name)}`,
  '    cluster:',
  `      server: ${quoted(endpoint)}`,
  `      certificate-authority-data: ${quoted(certificateAuthority)}`,
];

const userLines = ({ name }: KubeconfigCluster, { command, args, env }: TokenCommand): string[] => [
  `  - name: ${quoted(name)}`,
  '    user:',
  '      exec:',
  '        apiVersion: client.authentication.k8s.io/v1',
  '        interactiveMode: Never',
  '        provideClusterInfo: false',
  `        command: ${quoted(command)}`,
  '        args:',
  ...[...args, '--cluster', name].map((argument) => `          - ${quoted(argument)}`),
  ...(Object.keys(env).length === 0 ? [] : ['        env:']),
  ...Object.entries(env).flatMap(([key, value]) => [
    `          - name: ${quoted(key)}`,
    `            value: ${quoted(value)}`,
  ]),
];

const contextLines = ({ name }: KubeconfigCluster): string[] => [
  `  - name: ${quoted(name)}`,
  '    context:',
  `      cluster: ${quoted(name)}`,
  `      user: ${quoted(name)}`,
];

const section = (title: string, lines: readonly string[]): string[] =>
  lines.length === 0 ? [`${title}: []`] : [`${title}:`, ...lines];

/** A kubeconfig with one context per cluster, named like it. The first is the current one. */
export const kubeconfigText = (clusters: readonly KubeconfigCluster[], tokens: TokenCommand): string =>
  [
    kubeconfigMark,
    'apiVersion: v1',
    'kind: Config',
    ...section('clusters', clusters.flatMap(clusterLines)),
    ...section(
      'users',
      clusters.flatMap((cluster) => userLines(cluster, tokens)),
    ),
    ...section('contexts', clusters.flatMap(contextLines)),
    `current-context: ${quoted(clusters[0]?.name ?? '')}`,
    '',
  ].join('\n');

/** What kubectl reads from its exec plugin. */
export const execCredential = ({ token, expiresAt }: { token: string; expiresAt: Date }): object => ({
  apiVersion: 'client.authentication.k8s.io/v1',
  kind: 'ExecCredential',
  status: { token, expirationTimestamp: expiresAt.toISOString().replace(/\.\d+Z$/, 'Z') },
});
