import { randomUUID } from 'node:crypto';
import * as client from '@aws-sdk/client-sfn';
import { executionOperations } from '../engine/api/executions.ts';
import { historyOperations } from '../engine/api/history.ts';
import { machineOperations } from '../engine/api/machines.ts';
import { mapRunOperations } from '../engine/api/map-runs.ts';
import { type EngineOptions, openEngine } from '../engine/engine.ts';
import { openTags } from '../engine/tags.ts';
import type { Operation, SchemaService } from '../gateway/service.ts';
import type { ExecutionStarter } from '../ports.ts';

export interface StatesService extends SchemaService, ExecutionStarter {
  /** Goes on with every open execution of an earlier life; answers their ARNs. Call once, when the integrations are up. */
  resume(): string[];
  /** Stops acting without ending anything. */
  close(): void;
}

/**
 * Step Functions for the laptop: the API over the durable engine, STANDARD machines in JSONata. Every answer waits until what
 * it tells is on disk, so nobody is told of an execution that a kill -9 could take back.
 */
export const createStatesService = (options: EngineOptions): StatesService => {
  const engine = openEngine(options);
  const { world } = engine;
  const durable =
    (operation: Operation): Operation =>
    async (input, call) => {
      const output: unknown = await operation(input, call);
      await world.journal.settled();
      return output;
    };
  const operations: Record<string, Operation> = {
    ...machineOperations(world, openTags(world.database)),
    ...executionOperations(world),
    ...historyOperations(world),
    ...mapRunOperations(world),
  };
  return {
    kind: 'schema',
    signingName: 'states',
    protocol: 'awsJson1_0',
    client,
    operations: Object.fromEntries(Object.entries(operations).map(([name, operation]) => [name, durable(operation)])),
    start: async (stateMachineArn, input, name) => {
      const started = world.executions.start({ machineArn: stateMachineArn, input, name: name ?? randomUUID() });
      await world.journal.settled();
      return { executionArn: started.arn };
    },
    resume: engine.resume,
    close: engine.close,
  };
};
