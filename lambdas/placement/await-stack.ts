import { setTimeout as delay } from 'node:timers/promises';
import * as z from 'zod';
import { ownCluster } from '../../adapters/clusters/own-cluster.ts';
import type { World } from '../../adapters/world.ts';
import { StepFailure } from '../../domain/errors.ts';
import { nodePoolKind, nodePoolObjects } from '../../domain/workload/node-pool.ts';
import { step } from '../step.ts';
import { placementStep, serverLeaseSeconds } from './placement-step.ts';

const contract = {
  input: z.object(placementStep),
  output: z.object({ ready: z.boolean(), status: z.string() }),
};

/** One call looks for so long; the machine waits longer between two: a stack takes 20 minutes on AWS, seconds here. */
const lookMillis = 8_000;
const pauseMillis = 250;

/** Nodes within the bounds of the stack; a cluster that knows no node pools, as the laptop's, has nodes anyway. */
const applyNodePools = async (world: World, id: string, outputs: Readonly<Record<string, string>>): Promise<void> => {
  const cluster = await world.cluster(id);
  if (!(await cluster.has(nodePoolKind))) return;
  const bounds = { minimum: Number(outputs.NodeMinimum), maximum: Number(outputs.NodeMaximum) };
  await cluster.apply(nodePoolObjects(bounds));
};

const underWay = /^(CREATE|ROLLBACK)_IN_PROGRESS$/;

/**
 * Looks whether the tenant's stack stands; then gives its cluster nodes, notes what others need of it, and has AWS refuse to delete it by hand. Throws
 * StackRefused when it never will stand, naming the resource that failed first.
 */
export const handler = step('AwaitStack', contract, async (input, world, signal) => {
  const { operation, tenantId, holder = operation, placementId } = input;
  await world.registry.leases.hold({ tenantId, holder, seconds: serverLeaseSeconds });
  const own = ownCluster(await world.registry.placements.require(tenantId, placementId));
  if (!own) return { ready: true, status: 'none' };
  const end = performance.now() + lookMillis;
  for (;;) {
    const found = await world.clusters.describeStack(own.stack);
    if (found?.status === 'CREATE_COMPLETE') {
      await applyNodePools(world, own.id, found.outputs);
      await world.registry.clusters.noteOutputs(own.id, found.outputs);
      await world.clusters.protect({ stack: own.stack, tenantId });
      return { ready: true, status: found.status };
    }
    // One that has failed is rolled back first: nothing of it can be taken down before.
    if (!found || !underWay.test(found.status)) {
      const why = found?.reason === undefined ? '' : `: ${found.reason}`;
      throw new StepFailure('StackRefused', `stack ${own.stack} is ${found?.status ?? 'gone'}${why}`.slice(0, 2_000));
    }
    if (performance.now() > end) return { ready: false, status: found.status };
    await delay(pauseMillis, undefined, { signal });
  }
});
