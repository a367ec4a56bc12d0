import { setTimeout as delay } from 'node:timers/promises';
import { DescribeExecutionCommand, StartExecutionCommand } from '@aws-sdk/client-sfn';
import { settle, startHttpWriters } from '../test/load/http-writers.ts';
import type { Laptop } from './laptop.ts';
import type { BenchRow } from './row.ts';

/** Runs a machine to its end; answers milliseconds. Throws with the reason of a failure. */
const run = async ({ states, machineArn }: Laptop, machine: string, input: object): Promise<number> => {
  const began = performance.now();
  const { executionArn } = await states.send(
    new StartExecutionCommand({ stateMachineArn: machineArn(machine), input: JSON.stringify(input) }),
  );
  for (;;) {
    const { status, cause } = await states.send(new DescribeExecutionCommand({ executionArn }));
    if (status === 'SUCCEEDED') return performance.now() - began;
    if (status !== 'RUNNING') throw new Error(`${machine} ${JSON.stringify(input)} is ${status}: ${cause}`);
    await delay(10);
  }
};

const median = (values: readonly number[]): number => values.toSorted((a, b) => a - b)[Math.floor(values.length / 2)]!;

const signUps = async (laptop: Laptop, tier: string, count: number): Promise<number> => {
  const millis: number[] = [];
  for (let index = 0; index < count; index += 1)
    millis.push(
      await run(laptop, 'provision-tenant', {
        tenantId: `${tier}-${index}`,
        plan: 'enterprise',
        tier,
        isolation: 'pooled',
        force: true,
        reason: 'bench',
        adminEmail: `owner@${tier}-${index}.example`,
      }),
    );
  return median(millis);
};

/** Every way of a move that takes the rows along or leaves them, each to a place with an app of its own, and home. */
const moves = [
  { tier: 'cluster', isolation: 'database' },
  { tier: 'namespace', isolation: 'database' },
  { tier: 'namespace', isolation: 'pooled' },
  { tier: 'cluster', isolation: 'pooled' },
  { tier: 'namespace', isolation: 'pooled' },
] as const;

/** What people of a tenant wait while it moves between tiers, beside what they wait when it stays. */
const tierStalls = async (laptop: Laptop): Promise<BenchRow[]> => {
  const tenantId = 'namespace-0';
  const load = await startHttpWriters({
    port: laptop.cloud.port,
    host: `${tenantId}.localhost`,
    tenantId,
    writers: 4,
    pause: 5,
  });
  const waited: number[] = [];
  load.forgetSlowest();
  await load.more(1_000);
  const still = load.slowest().millis;
  try {
    for (const place of moves) {
      load.forgetSlowest();
      await run(laptop, 'migrate-tenant', { tenantId, ...place, windowSeconds: 0 });
      await load.more(50);
      waited.push(load.slowest().millis);
    }
  } finally {
    await load.stop();
  }
  const { acked, lost, duplicated } = await settle(load);
  const yardstick = { name: 'slowest request without a move', value: still, unit: 'ms' };
  return [
    {
      name: 'move.tier_stall_ms',
      value: median(waited),
      unit: `ms, median of the slowest request of ${moves.length} moves`,
      goal: '<= 100',
      met: median(waited) <= 100,
      yardstick,
    },
    { name: 'move.tier_stall_ms.worst', value: Math.max(...waited), unit: 'ms', yardstick },
    {
      name: 'move.tier_lost',
      value: lost.length + duplicated.length + load.refused.length + load.unknown.length,
      unit: `lost, doubled, refused or unanswered of ${acked}`,
      goal: '0',
      met: lost.length + duplicated.length + load.refused.length + load.unknown.length === 0,
    },
  ];
};

/** Signups into apps and clusters of their own on the local control plane, and what a move between tiers costs its users. */
export const benchTiers = async (laptop: Laptop): Promise<BenchRow[]> => {
  // The first signup pays for the cold starts of every function.
  await run(laptop, 'provision-tenant', { tenantId: 'warm-up', plan: 'starter' });
  const shared = await signUps(laptop, 'shared', 5);
  const yardstick = { name: 'the same signup into the shared app', value: shared, unit: 'ms' };
  return [
    { name: 'provision.namespace_ms', value: await signUps(laptop, 'namespace', 5), unit: 'ms', yardstick },
    { name: 'provision.cluster_ms', value: await signUps(laptop, 'cluster', 3), unit: 'ms', yardstick },
    ...(await tierStalls(laptop)),
  ];
};
