import { chmod, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { EventBridgeClient, PutEventsCommand } from '@aws-sdk/client-eventbridge';
import { GetSecretValueCommand, SecretsManagerClient } from '@aws-sdk/client-secrets-manager';
import {
  DescribeExecutionCommand,
  type DescribeExecutionOutput,
  SFNClient,
  StartExecutionCommand,
} from '@aws-sdk/client-sfn';
import pg from 'pg';
import { vi } from 'vitest';
import { busName, requestSource } from '../domain/deployment.ts';
import { type Cloud, type CloudOptions, startCloud } from '../local/cloud.ts';

export const root = resolve(import.meta.dirname, '..');

/** Bundles of the handlers, made once for all test files (test/bundles.ts). */
export const bundleDirectory = join(root, 'node_modules', '.cache', 'tenantry', 'bundles');

export interface ServerLogin {
  readonly host: string;
  readonly port: number;
  readonly username?: string;
  readonly password?: string;
}

export interface TestCloud {
  readonly cloud: Cloud;
  readonly home: string;
  readonly states: SFNClient;
  machineArn(name: string): string;
  /** Starts an execution by hand, as an operator does in the console. */
  start(workflow: string, input: unknown, name?: string): Promise<string>;
  /** Resolves with the execution when it is no longer running. */
  ended(executionArn: string): Promise<DescribeExecutionOutput>;
  run(workflow: string, input: unknown): Promise<DescribeExecutionOutput>;
  publish(detailType: string, detail: unknown): Promise<string>;
  /** The superuser on one database: to damage, to look, never on behalf of the product. */
  admin(database: string, server?: ServerLogin): Promise<pg.Client>;
  readonly secrets: SecretsManagerClient;
  /** Resolves with the rows as soon as the registry answers any for this query. */
  eventually<Row extends pg.QueryResultRow>(text: string, values?: readonly unknown[]): Promise<Row[]>;
  /** The operator API. */
  api<T>(method: string, path: string, body?: unknown): Promise<{ status: number; body: T }>;
  secret(id: string): Promise<{ username: string; password: string }>;
  close(): Promise<void>;
}

/** Asks again every 20 ms until there is an answer: the state awaited lies in another process. */
export const until = <T>(what: string, ask: () => Promise<T | undefined>, milliseconds = 30_000): Promise<T> =>
  vi.waitFor(
    async () => {
      const answer = await ask();
      if (answer === undefined) throw new Error(`${what}: not within ${milliseconds} ms`);
      return answer;
    },
    { timeout: milliseconds, interval: 20 },
  );

/** A whole local cloud in a temporary directory, PostgreSQL without fsync; `close()` removes all of it. */
export const startTestCloud = async (options: Partial<CloudOptions> = {}): Promise<TestCloud> => {
  const home = options.home ?? (await mkdtemp(join(tmpdir(), 'tenantry-cloud-')));
  // As root PostgreSQL runs as another user, who has to pass through here.
  await chmod(home, 0o711);
  const cloud = await startCloud({
    root,
    bundleDirectory,
    postgresSettings: { fsync: 'off', synchronous_commit: 'off', full_page_writes: 'off', shared_buffers: '32MB' },
    ...options,
    home,
  });
  const client = { endpoint: cloud.endpoint, region: cloud.region, credentials: cloud.credentials };
  const states = new SFNClient(client);
  const events = new EventBridgeClient(client);
  const secrets = new SecretsManagerClient(client);
  const opened: pg.Client[] = [];
  const admin = async (database: string, server: ServerLogin = cloud.postgres): Promise<pg.Client> => {
    const { superuser } = cloud.postgres;
    const { host, port, username: user = superuser.username, password = superuser.password } = server;
    const connection = new pg.Client({ host, port, database, user, password });
    connection.on('error', () => undefined);
    await connection.connect();
    opened.push(connection);
    return connection;
  };
  let registry: pg.Client | undefined;
  const machineArn = (name: string): string =>
    `arn:aws:states:${cloud.region}:${cloud.accountId}:stateMachine:tenantry-${name}`;
  const start = async (workflow: string, input: unknown, name?: string): Promise<string> => {
    const command = new StartExecutionCommand({
      stateMachineArn: machineArn(workflow),
      input: JSON.stringify(input),
      ...(name ? { name } : {}),
    });
    return (await states.send(command)).executionArn!;
  };
  const ended = (executionArn: string): Promise<DescribeExecutionOutput> =>
    until(
      `${executionArn} ends`,
      async () => {
        const execution = await states.send(new DescribeExecutionCommand({ executionArn }));
        return execution.status === 'RUNNING' ? undefined : execution;
      },
      120_000,
    );
  return {
    cloud,
    home,
    states,
    machineArn,
    start,
    ended,
    run: async (workflow, input) => ended(await start(workflow, input)),
    publish: async (detailType, detail) => {
      const { Entries } = await events.send(
        new PutEventsCommand({
          Entries: [
            { EventBusName: busName, Source: requestSource, DetailType: detailType, Detail: JSON.stringify(detail) },
          ],
        }),
      );
      return Entries![0]!.EventId!;
    },
    admin,
    secrets,
    eventually: async (text, values) => {
      registry ??= await admin('control');
      const connection = registry;
      return until(text, async () => {
        const { rows } = await connection.query(text, values as unknown[]);
        return rows.length > 0 ? rows : undefined;
      });
    },
    api: async <T>(method: string, path: string, body?: unknown) => {
      const answer = await fetch(`${cloud.endpoint}/api/v1${path}`, {
        method,
        headers: {
          authorization: `Bearer ${cloud.token}`,
          ...(body === undefined ? {} : { 'content-type': 'application/json' }),
        },
        ...(body === undefined ? {} : { body: JSON.stringify(body) }),
      });
      return { status: answer.status, body: (await answer.json()) as T };
    },
    secret: async (id) => {
      const { SecretString } = await secrets.send(new GetSecretValueCommand({ SecretId: id }));
      return JSON.parse(SecretString!) as { username: string; password: string };
    },
    close: async () => {
      for (const connection of opened) await connection.end();
      for (const sdk of [states, events, secrets]) sdk.destroy();
      await cloud.close();
      await rm(home, { recursive: true, force: true });
    },
  };
};
