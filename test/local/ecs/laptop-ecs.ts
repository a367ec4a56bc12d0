import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import {
  CreateClusterCommand,
  DescribeTasksCommand,
  ECSClient,
  RegisterTaskDefinitionCommand,
  RunTaskCommand,
  type RunTaskCommandInput,
} from '@aws-sdk/client-ecs';
import { SFNClient } from '@aws-sdk/client-sfn';
import type { CredentialStore } from '../../../local/gateway/credentials.ts';
import { createEcsService } from '../../../local/services/ecs.ts';
import { createStatesService } from '../../../local/services/states.ts';
import { until } from '../../cloud.ts';
import { accountId, region } from '../gateway/account.ts';
import { openEndpoint, temporary } from '../gateway/endpoint.ts';

/** A container that does as its environment says: tells its process and environment, then waits, fails or ends. */
const program = `
import { writeFileSync } from 'node:fs';
writeFileSync(process.env.TOLD, JSON.stringify({ pid: process.pid, env: process.env, heap: process.execArgv }));
if (process.env.STUBBORN) process.on('SIGTERM', () => {});
if (process.env.WAIT) setInterval(() => {}, 1_000);
else process.exitCode = Number(process.env.CODE ?? 0);
`;

const refused = (): never => {
  throw new Error('not called here');
};

/**
 * ECS and Step Functions behind a real gateway, and the unmodified SDK clients, with a cluster `tasks` and a definition `work`,
 * whose container `step` runs the program above. `given`: the home of an earlier life.
 */
export const openEcs = async (given?: string) => {
  const home = given ?? (await temporary('ecs'));
  const file = join(home, 'program.mjs');
  writeFileSync(file, program);
  const endpoint = await openEndpoint(({ credentials, endpoint: address }) => {
    const ecs = createEcsService({
      directory: join(home, 'ecs'),
      region,
      accountId,
      credentials: credentials satisfies CredentialStore,
      endpoint: address,
      images: () => new Map([['tenantry/program', file]]),
      log: () => undefined,
    });
    const engine = createStatesService({
      directory: home,
      region,
      accountId,
      integrations: {
        functions: { invoke: refused },
        events: { putEvents: refused },
        objects: { get: refused, put: refused, list: refused },
        tasks: ecs.runner,
      },
    });
    return [engine, ecs];
  });
  const client = new ECSClient(endpoint.config);
  const states = new SFNClient(endpoint.config);
  const told = join(home, 'told.json');
  await client.send(new CreateClusterCommand({ clusterName: 'tasks' }));
  await client.send(
    new RegisterTaskDefinitionCommand({
      family: 'work',
      cpu: '256',
      memory: '512',
      networkMode: 'awsvpc',
      requiresCompatibilities: ['FARGATE'],
      taskRoleArn: `arn:aws:iam::${accountId}:role/worker`,
      containerDefinitions: [
        {
          name: 'step',
          image: 'tenantry/program',
          stopTimeout: 2,
          environment: [
            { name: 'TOLD', value: told },
            { name: 'FROM', value: 'definition' },
          ],
        },
      ],
    }),
  );
  const request = (
    environment: Readonly<Record<string, string>> = {},
    more: Partial<RunTaskCommandInput> = {},
  ): RunTaskCommandInput => ({
    cluster: 'tasks',
    taskDefinition: 'work',
    launchType: 'FARGATE',
    networkConfiguration: { awsvpcConfiguration: { subnets: ['subnet-1'], securityGroups: ['sg-1'] } },
    overrides: {
      containerOverrides: [
        { name: 'step', environment: Object.entries(environment).map(([name, value]) => ({ name, value })) },
      ],
    },
    ...more,
  });
  const run = async (environment?: Readonly<Record<string, string>>, more?: Partial<RunTaskCommandInput>) =>
    (await client.send(new RunTaskCommand(request(environment, more)))).tasks![0]!;
  const look = async (arn: string) =>
    (await client.send(new DescribeTasksCommand({ cluster: 'tasks', tasks: [arn] }))).tasks![0]!;
  const stopped = (arn: string) =>
    until('the task stops', async () => {
      const task = await look(arn);
      return task.lastStatus === 'STOPPED' ? task : undefined;
    });
  const hears = () =>
    until('the program speaks', async () => {
      try {
        return JSON.parse(readFileSync(told, 'utf8')) as {
          pid: number;
          env: Record<string, string>;
          heap: string[];
        };
      } catch {
        return undefined;
      }
    });
  return { home, client, states, request, run, look, stopped, hears };
};

export type LaptopEcs = Awaited<ReturnType<typeof openEcs>>;
