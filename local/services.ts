import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import type { Quotas } from './cloudformation/resource-type.ts';
import type { Clusters } from './clusters.ts';
import { createTargetDelivery } from './events/target-delivery.ts';
import type { CredentialStore } from './gateway/credentials.ts';
import type { Service } from './gateway/service.ts';
import type { FunctionInvoker, TaskRunner } from './ports.ts';
import { createCloudFormationService } from './services/cloudformation.ts';
import { createEcsService } from './services/ecs.ts';
import { createEksService, type EksService } from './services/eks.ts';
import { createEventSources } from './services/event-sources.ts';
import { createEventsService } from './services/events.ts';
import { createLambdaService, type LambdaService } from './services/lambda.ts';
import { createQueuesService } from './services/queues.ts';
import { createRdsService } from './services/rds.ts';
import { createS3Service } from './services/s3.ts';
import { createSchedulerService } from './services/scheduler.ts';
import { masterSecrets } from './services/secrets/master-secrets.ts';
import { createSecretsService } from './services/secrets.ts';
import { createSsmService } from './services/ssm.ts';
import { createStatesService } from './services/states.ts';
import { createStsService } from './services/sts.ts';

export interface ServicesOptions {
  readonly home: string;
  readonly region: string;
  readonly accountId: string;
  readonly credentials: CredentialStore;
  readonly endpoint: () => string;
  readonly log: (source: string, line: string) => void;
  /** Image of a container task -> its bundled program; known once the handlers are bundled. */
  readonly images?: ReadonlyMap<string, string>;
  /** Kubernetes behind EKS; without it the laptop has neither EKS nor CloudFormation. */
  readonly clusters?: Pick<Clusters, 'plane' | 'loadBalancers'>;
  /** Settings of every database server that RDS starts. */
  readonly postgresSettings?: Readonly<Record<string, string>>;
  /** Of the stacks' resources; AWS's defaults unless told. */
  readonly stackQuotas?: Partial<Quotas>;
  /** Stands between Step Functions and the handlers: where tests let steps fail. */
  readonly interpose?: (functions: FunctionInvoker) => FunctionInvoker;
  /** The same between Step Functions and container tasks. */
  readonly interposeTasks?: (tasks: TaskRunner) => TaskRunner;
}

export interface Services {
  readonly all: readonly Service[];
  readonly lambda: LambdaService;
  readonly eks: EksService | undefined;
  /** Resolves when the DB instances and clusters that were available answer again; steps that go on may need them. */
  wake(): Promise<void>;
  /** To be called when the functions are defined: open executions go on, queues are read. Answers how many executions. */
  resume(): number;
  /** Stops taking new work; what is open stays open on disk. */
  quiesce(): Promise<void>;
}

/** The services of the laptop AWS, wired to each other in process: what one sends to another does not go over the port. */
export const createServices = (options: ServicesOptions): Services => {
  const { home, region, accountId, credentials, endpoint, log } = options;
  const place = (name: string): { directory: string; region: string; accountId: string } => {
    const directory = join(home, name);
    mkdirSync(directory, { recursive: true });
    return { directory, region, accountId };
  };
  const lambda = createLambdaService({
    region,
    accountId,
    credentials,
    endpoint,
    compileCacheDirectory: join(home, 'compile-cache'),
    scratchDirectory: join(home, 'scratch'),
    log,
  });
  const queues = createQueuesService(place('queues'));
  const delivery = createTargetDelivery({
    queues: queues.store.sender,
    functions: lambda.invoker,
    machines: { start: (...execution) => states.start(...execution) },
    buses: { forward: (...event) => events.forward(...event) },
  });
  const report = (line: string): void => log('events', line);
  // Held: schedules and deliveries of an earlier life may be due before deployment has defined the functions they end in.
  const events = createEventsService({
    ...place('events'),
    delivery,
    deadLetters: queues.store.sender,
    report,
    held: true,
  });
  const scheduler = createSchedulerService({
    ...place('scheduler'),
    delivery,
    deadLetters: queues.store.sender,
    report,
    held: true,
  });
  const s3 = createS3Service({ ...place('s3'), credentials: { lookup: (id) => credentials.find(id) } });
  const ecs = createEcsService({
    ...place('ecs'),
    credentials,
    endpoint,
    images: () => options.images ?? new Map(),
    log: (line) => log('ecs', line),
  });
  const states = createStatesService({
    ...place('states'),
    integrations: {
      functions: options.interpose?.(lambda.invoker) ?? lambda.invoker,
      events: events.publisher,
      objects: s3.objects,
      tasks: options.interposeTasks?.(ecs.runner) ?? ecs.runner,
      statusEvents: events.publisher,
    },
    log: (line) => log('states', line),
  });
  const sources = createEventSources({
    ...place('event-sources'),
    queues: queues.store,
    functions: lambda.invoker,
    log: report,
  });
  const secrets = createSecretsService(place('secrets'));
  const rds = createRdsService({
    ...place('rds'),
    settings: options.postgresSettings ?? {},
    secrets: masterSecrets(secrets),
    log: (line) => log('rds', line),
  });
  const { clusters } = options;
  // A control plane takes 15 minutes on AWS; here a machine looks twice.
  const eks = clusters && createEksService({ ...place('eks'), controlPlanes: clusters.plane, createDelayMillis: 500 });
  const stacks =
    clusters &&
    eks &&
    createCloudFormationService({
      ...place('cloudformation'),
      eks,
      objects: s3.objects,
      loadBalancers: clusters.loadBalancers,
      ...(options.stackQuotas ? { quotas: options.stackQuotas } : {}),
      log: (line) => log('cloudformation', line),
    });
  const withSources = { ...lambda, operations: { ...lambda.operations, ...sources.operations } };
  return {
    all: [
      states,
      events,
      scheduler,
      queues,
      withSources,
      // After Step Functions: a task that ends with the cloud must not fail the state that waits for it in the next life.
      ecs,
      ...(stacks && eks ? [stacks, eks] : []),
      s3,
      secrets,
      createSsmService(place('ssm')),
      createStsService({ accountId, credentials }),
      // Last, as services are closed in this order: whoever writes to a server has then ended.
      rds,
    ],
    lambda,
    eks,
    wake: async () => {
      eks?.start();
      stacks?.start();
      await rds.start();
    },
    resume: () => {
      events.start();
      scheduler.start();
      sources.start();
      return states.resume().length;
    },
    quiesce: async () => {
      await sources.close();
    },
  };
};
