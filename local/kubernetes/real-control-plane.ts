import { type ChildProcess, spawn } from 'node:child_process';
import { generateKeyPairSync, randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { existsSync, readFileSync } from 'node:fs';
import { mkdir, writeFile } from 'node:fs/promises';
import type { RequestOptions } from 'node:https';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { KubeConfig } from '@kubernetes/client-node';
import { freePort } from '../postgres/port.ts';
import { type ApiConnection, openApiClient } from './api-client.ts';
import { openCertificate } from './certificate.ts';

export interface RealControlPlane {
  readonly connection: ApiConnection;
  /** True for one that was started here and has no controllers yet; false for somebody's cluster. */
  readonly own: boolean;
  close(): Promise<void>;
}

/** Longest wait for an API server that has not ended by itself. */
const patience = 60_000;

const run = (file: string, args: readonly string[], log: (line: string) => void): ChildProcess => {
  if (!existsSync(file))
    throw new Error(`KUBEBUILDER_ASSETS has no ${file}; run setup-envtest and name the folder that it prints.`);
  const child = spawn(file, args, { stdio: ['ignore', 'ignore', 'pipe'], env: { PATH: process.env.PATH ?? '' } });
  child.stderr.on('data', (text: Buffer) => log(text.toString().trimEnd()));
  child.once('error', (error) => log(`${file}: ${error.message}`));
  return child;
};

const stop = async (child: ChildProcess): Promise<void> => {
  if (child.pid === undefined || child.exitCode !== null || child.signalCode !== null) return;
  const gone = once(child, 'exit');
  child.kill('SIGTERM');
  const last = setTimeout(() => child.kill('SIGKILL'), 10_000);
  await gone;
  clearTimeout(last);
};

const ready = async (connection: ApiConnection, server: ChildProcess): Promise<void> => {
  const client = openApiClient(connection);
  const end = performance.now() + patience;
  try {
    for (;;) {
      if (server.exitCode !== null)
        throw new Error(`kube-apiserver ended with exit code ${server.exitCode}; its log tells why.`);
      const failure = await client.request('GET', '/api/v1/namespaces/default').then(
        () => undefined,
        (error: unknown) => error,
      );
      if (failure === undefined) return;
      if (performance.now() > end) throw failure;
      await delay(200);
    }
  } finally {
    client.close();
  }
};

/**
 * Starts etcd and kube-apiserver from a folder of the envtest project (`KUBEBUILDER_ASSETS`), in `directory`, on free ports of loopback,
 * with one token of group system:masters. No controller runs there: `startControllers` brings them.
 */
export const startEnvtest = async (
  assets: string,
  { directory, log }: { directory: string; log: (line: string) => void },
): Promise<RealControlPlane> => {
  await mkdir(directory, { recursive: true });
  const token = randomBytes(32).toString('base64url');
  const { key, certificate } = await openCertificate(directory);
  const { privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
  const files = {
    key: join(directory, 'server.key'),
    certificate: join(directory, 'server.crt'),
    tokens: join(directory, 'tokens.csv'),
    accounts: join(directory, 'service-accounts.key'),
  };
  const secret = { mode: 0o600 };
  await writeFile(files.key, key, secret);
  await writeFile(files.certificate, certificate);
  await writeFile(files.tokens, `${token},tenantry,tenantry,"system:masters"\n`, secret);
  await writeFile(files.accounts, privateKey.export({ type: 'pkcs8', format: 'pem' }), secret);
  const etcdUrl = `http://127.0.0.1:${await freePort()}`;
  const etcd = run(
    join(assets, 'etcd'),
    [
      `--data-dir=${join(directory, 'etcd')}`,
      `--listen-client-urls=${etcdUrl}`,
      `--advertise-client-urls=${etcdUrl}`,
      `--listen-peer-urls=http://127.0.0.1:${await freePort()}`,
      '--unsafe-no-fsync=true',
    ],
    log,
  );
  const port = await freePort();
  let server: ChildProcess | undefined;
  const close = async (): Promise<void> => {
    if (server) await stop(server);
    await stop(etcd);
  };
  try {
    server = run(
      join(assets, 'kube-apiserver'),
      [
        `--etcd-servers=${etcdUrl}`,
        '--bind-address=127.0.0.1',
        `--secure-port=${port}`,
        `--tls-cert-file=${files.certificate}`,
        `--tls-private-key-file=${files.key}`,
        `--token-auth-file=${files.tokens}`,
        '--authorization-mode=RBAC',
        '--allow-privileged=true',
        '--service-cluster-ip-range=10.0.0.0/24',
        '--service-account-issuer=https://kubernetes.default.svc',
        `--service-account-key-file=${files.accounts}`,
        `--service-account-signing-key-file=${files.accounts}`,
        // Without a controller manager no account would ever have what this plugin waits for.
        '--disable-admission-plugins=ServiceAccount',
      ],
      log,
    );
    const certificateAuthority = Buffer.from(certificate).toString('base64');
    const connection = { server: `https://127.0.0.1:${port}`, token, certificateAuthority };
    await ready(connection, server);
    return { connection, own: true, close };
  } catch (error) {
    await close();
    throw error;
  }
};

/**
 * The cluster of one context of a kubeconfig. Both are named by the caller: the current context of a file may be somebody's
 * production. Runs the context's exec plugin where it has one. Throws when the context has no bearer token or no authority.
 */
export const readKubeconfig = async (file: string, context: string): Promise<ApiConnection> => {
  const config = new KubeConfig();
  config.loadFromFile(file);
  if (!config.getContextObject(context)) {
    const known = config.getContexts().map(({ name }) => name);
    throw new Error(`${file} has no context ${JSON.stringify(context)}; it has ${known.join(', ') || 'none'}.`);
  }
  config.setCurrentContext(context);
  const cluster = config.getCurrentCluster();
  if (!cluster) throw new Error(`Context ${context} of ${file} names a cluster that the file does not have.`);
  const options: RequestOptions = {};
  await config.applyToHTTPSOptions(options);
  const headers = (options.headers ?? {}) as Record<string, string>;
  const token = /^Bearer (.+)$/.exec(headers.Authorization ?? '')?.[1];
  if (token === undefined)
    throw new Error(`Context ${context} of ${file} has no bearer token; client certificates are not used here.`);
  const certificateAuthority =
    cluster.caData ?? (cluster.caFile === undefined ? undefined : readFileSync(cluster.caFile).toString('base64'));
  if (certificateAuthority === undefined)
    throw new Error(`Cluster ${cluster.name} of ${file} has no certificate authority; add certificate-authority-data.`);
  return { server: cluster.server, token, certificateAuthority };
};

/**
 * The control plane that the environment asks for: KUBEBUILDER_ASSETS, or TENANTRY_KUBECONFIG together with TENANTRY_KUBE_CONTEXT;
 * undefined for none.
 */
export const realControlPlane = async (
  env: NodeJS.ProcessEnv,
  options: { directory: string; log: (line: string) => void },
): Promise<RealControlPlane | undefined> => {
  const { KUBEBUILDER_ASSETS: assets, TENANTRY_KUBECONFIG: file, TENANTRY_KUBE_CONTEXT: context } = env;
  if ((file === undefined) !== (context === undefined))
    throw new Error(
      'TENANTRY_KUBECONFIG and TENANTRY_KUBE_CONTEXT name a cluster together; the current context of a file is never taken.',
    );
  if (file !== undefined && context !== undefined)
    return { connection: await readKubeconfig(file, context), own: false, close: () => Promise.resolve() };
  return assets === undefined ? undefined : startEnvtest(assets, options);
};
