import { createHmac, randomBytes } from 'node:crypto';
import { existsSync, mkdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { allFunctions, functionName, handlerEntries } from '../domain/deployment.ts';
import { taskEntry } from '../domain/task-steps.ts';
import { workflows } from '../domain/workflows.ts';
import { startApp } from './apps.ts';
import type { Quotas } from './cloudformation/resource-type.ts';
import { startClusters } from './clusters.ts';
import { appImage } from './deploy/apps.ts';
import { taskImage } from './deploy/tasks.ts';
import { type AppPlaces, deploy } from './deploy.ts';
import { zoneFile } from './dns/zone.ts';
import { startDns } from './dns.ts';
import { newAccessKeyId, newSecretAccessKey, openCredentialStore } from './gateway/credentials.ts';
import { startGateway } from './gateway/gateway.ts';
import { createIngress } from './ingress.ts';
import { bundleHandlers } from './lambda/bundle.ts';
import type { FunctionInvoker, TaskRunner } from './ports.ts';
import { keepPostgres } from './postgres/keeper.ts';
import { createServices, type Services } from './services.ts';

export interface CloudOptions {
  /** The data directory: everything that the cloud keeps is in here. */
  readonly home: string;
  /** Root of the project whose handlers, machines and app are deployed. */
  readonly root: string;
  /** Port of the gateway; without it that of the last start, else a free one. */
  readonly port?: number;
  readonly postgresSettings?: Readonly<Record<string, string>>;
  /** Where bundles are kept; tests share one directory so that they bundle once. */
  readonly bundleDirectory?: string;
  /** Stands between Step Functions and the handlers: where tests let steps fail. */
  readonly interpose?: (functions: FunctionInvoker) => FunctionInvoker;
  /** The same between Step Functions and container tasks. */
  readonly interposeTasks?: (tasks: TaskRunner) => TaskRunner;
  /** What AWS lets a region have; its defaults, with which five tenants get a cluster of their own, unless told. */
  readonly stackQuotas?: Partial<Quotas>;
  /** Gets the log lines; standard error unless told. */
  readonly log?: (source: string, line: string) => void;
}

export interface Cloud {
  readonly port: number;
  readonly endpoint: string;
  readonly token: string;
  readonly region: string;
  readonly accountId: string;
  readonly credentials: { readonly accessKeyId: string; readonly secretAccessKey: string };
  readonly postgres: {
    readonly host: string;
    readonly port: number;
    /** Major version. */
    readonly version: string;
    readonly superuser: { readonly username: string; readonly password: string };
  };
  readonly serviceNames: readonly string[];
  readonly machines: number;
  readonly functions: number;
  /** Executions that were open when the cloud last ended, and go on. */
  readonly resumed: number;
  /** Ends everything in order: the app, the services, PostgreSQL. What is open goes on at the next start. */
  close(): Promise<void>;
}

interface Identity {
  readonly port: number;
  readonly token: string;
  readonly accessKeyId: string;
  readonly secretAccessKey: string;
}

const region = 'eu-central-1';
const accountId = '000000000000';

const isAlive = (pid: number): boolean => {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EPERM';
  }
};

const readCloudFile = (file: string): (Identity & { pid: number }) | undefined =>
  existsSync(file) ? (JSON.parse(readFileSync(file, 'utf8')) as Identity & { pid: number }) : undefined;

const writeCloudFile = (file: string, content: unknown): void => {
  writeFileSync(`${file}.draft`, `${JSON.stringify(content, null, 2)}\n`, { mode: 0o600 });
  renameSync(`${file}.draft`, file);
};

/** Keys, token and port of this data directory: made at the first start, the same ever after. */
const identityOf = (known: Identity | undefined, port: number | undefined): Identity => ({
  port: port ?? known?.port ?? 0,
  token: known?.token ?? randomBytes(24).toString('base64url'),
  accessKeyId: known?.accessKeyId ?? newAccessKeyId('AKIA'),
  secretAccessKey: known?.secretAccessKey ?? newSecretAccessKey(),
});

/** The same in every process of the app: who is signed in stays so when the tenant moves to an app of its own. */
const appSecrets = ({ token }: Identity): Record<string, string> => ({
  SAMPLE_APP_SESSION_SECRET: createHmac('sha256', token).update('chat sessions').digest('hex'),
});

const appEnvironment = (endpoint: string, { router }: AppPlaces, identity: Identity): Record<string, string> => ({
  AWS_ENDPOINT_URL: endpoint,
  AWS_REGION: region,
  AWS_ACCESS_KEY_ID: identity.accessKeyId,
  AWS_SECRET_ACCESS_KEY: identity.secretAccessKey,
  REGISTRY_HOST: router.host,
  REGISTRY_PORT: String(router.port),
  REGISTRY_DATABASE: router.database,
  REGISTRY_SECRET_ID: router.secretId,
  SAMPLE_APP_OPEN_LOGIN: '1',
  ...appSecrets(identity),
});

const logToStandardError = (source: string, line: string): void => {
  process.stderr.write(`${new Date().toISOString()} ${source}: ${line}\n`);
};

/**
 * Starts the whole laptop cloud on one data directory: PostgreSQL, the AWS services behind one port, Tenantry deployed into
 * them, the hosted app. Resolves when all of it answers and open executions go on.
 * @throws Error when another cloud runs on the directory, or a port is taken; the message names it and the fix.
 */
export const startCloud = async (options: CloudOptions): Promise<Cloud> => {
  const { home, root } = options;
  mkdirSync(home, { recursive: true });
  const cloudFile = join(home, 'cloud.json');
  const known = readCloudFile(cloudFile);
  if (known && known.pid !== process.pid && isAlive(known.pid))
    throw new Error(
      `a local cloud already runs on ${home} (process ${known.pid}, port ${known.port}); end it: npx tenantry down`,
    );
  const log = options.log ?? logToStandardError;
  const identity = identityOf(known, options.port);
  const credentials = openCredentialStore({ file: join(home, 'credentials.json'), accountId, ...identity });
  const appEntry = join(root, 'sample-app', 'main.ts');
  const [postgres, bundles, clusters, dns] = await Promise.all([
    keepPostgres({
      directory: join(home, 'postgres'),
      log: (line) => log('postgres', line),
      ...(options.postgresSettings ? { settings: options.postgresSettings } : {}),
    }),
    bundleHandlers({
      root,
      entries: handlerEntries,
      outDirectory: options.bundleDirectory ?? join(home, 'bundles'),
    }),
    startClusters({
      home,
      accountId,
      credentials,
      identityOf: (cluster, principalArn) => services.eks?.identityOf(cluster, principalArn),
      images: new Map([[appImage, appEntry]]),
      log,
    }),
    startDns(zoneFile(home)),
  ]);
  let endpoint = '';
  const services: Services = createServices({
    home,
    region,
    accountId,
    credentials,
    endpoint: () => endpoint,
    log,
    clusters,
    images: new Map([[taskImage, bundles.get(taskEntry)!]]),
    ...(options.postgresSettings ? { postgresSettings: options.postgresSettings } : {}),
    ...(options.interpose ? { interpose: options.interpose } : {}),
    ...(options.interposeTasks ? { interposeTasks: options.interposeTasks } : {}),
    ...(options.stackQuotas ? { stackQuotas: options.stackQuotas } : {}),
  });
  let app: Awaited<ReturnType<typeof startApp>> | undefined;
  const gateway = await startGateway({
    services: services.all,
    credentials,
    region,
    accountId,
    port: identity.port,
    fallback: createIngress({
      appPort: () => app?.port(),
      ownAppPort: (host) => clusters.hosts.port(host),
      token: identity.token,
      log: (line) => log('ingress', line),
      invokeOperatorApi: async (event) => {
        const arn = `arn:aws:lambda:${region}:${accountId}:function:${functionName('OperatorApi')}`;
        const { payload, functionError } = await services.lambda.invoker.invoke(arn, JSON.stringify(event));
        if (functionError) throw new Error(payload);
        return JSON.parse(payload) as unknown;
      },
    }),
  }).catch(async (error: unknown) => {
    // A taken port must not leave a PostgreSQL that nobody stops.
    await services.quiesce();
    await clusters.close();
    await dns.close();
    await postgres.stop();
    throw error;
  });
  endpoint = gateway.endpoint;
  const close = async (): Promise<void> => {
    await app?.stop();
    await services.quiesce();
    await gateway.close();
    await clusters.close();
    await dns.close();
    await postgres.stop();
  };
  try {
    const places = await deploy({
      endpoint,
      region,
      accountId,
      credentials: identity,
      postgres: { host: postgres.host, port: postgres.port, ...postgres.superuser },
      defineFunction: (definition) => {
        services.lambda.define({ ...definition, handler: 'handler' });
      },
      bundles,
      root,
      appSecrets: appSecrets(identity),
      dnsServer: dns.address,
    });
    await services.wake();
    const resumed = services.resume();
    app = await startApp({
      entry: appEntry,
      env: appEnvironment(endpoint, places, identity),
      log: (line) => log('app', line),
    });
    writeCloudFile(cloudFile, {
      ...identity,
      pid: process.pid,
      port: gateway.port,
      endpoint,
      region,
      accountId,
      postgres: { host: postgres.host, port: postgres.port },
      startedAt: new Date().toISOString(),
    });
    return {
      port: gateway.port,
      endpoint,
      token: identity.token,
      region,
      accountId,
      credentials: identity,
      postgres: {
        host: postgres.host,
        port: postgres.port,
        version: readFileSync(join(home, 'postgres', 'data', 'PG_VERSION'), 'utf8').trim(),
        superuser: postgres.superuser,
      },
      serviceNames: services.all.map(({ signingName }) => signingName),
      machines: Object.keys(workflows).length,
      functions: Object.keys(allFunctions).length,
      resumed,
      close,
    };
  } catch (error) {
    await close();
    throw error;
  }
};
