import { DescribeExecutionCommand, StartExecutionCommand } from '@aws-sdk/client-sfn';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { until } from '../cloud.ts';
import { type Life, newHome, removeHome, startLife } from './faults/process.ts';
import { worldFindings } from './faults/world.ts';

let home: string;
let life: Life;
const seed = Number(process.env.TENANTRY_SEED ?? Date.now() % 1_000_000);

/** A message that a killed process had in hand is hidden for the queue's 180 s before anybody gets it again. */
const patience = 200_000;

/** Numbers from 0 to 1 in an order that the seed alone decides (mulberry32). */
const randoms = (from: number): (() => number) => {
  let state = from;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4_294_967_296;
  };
};

const start = async (workflow: string, input: object, name: string): Promise<string> => {
  const stateMachineArn = life.sight.laptop.machineArn(workflow);
  const command = new StartExecutionCommand({ stateMachineArn, name, input: JSON.stringify(input) });
  return (await life.states.send(command)).executionArn!;
};

const succeeded = (executionArn: string): Promise<true> =>
  until(
    `${executionArn} ends`,
    async () => {
      const { status, cause } = await life.states.send(new DescribeExecutionCommand({ executionArn }));
      if (status === 'RUNNING') return undefined;
      expect(status, cause).toBe('SUCCEEDED');
      return true as const;
    },
    90_000,
  );

const stepsBegun = async (): Promise<number> =>
  Number((await life.sight.control.query<{ n: string }>('SELECT count(*) AS n FROM steps')).rows[0]!.n);

beforeEach(async () => {
  home = await newHome();
  life = await startLife(home);
});
afterEach(async () => {
  await life.stop();
  await removeHome(home);
});

describe('a cloud that is killed with kill -9 in the midst of its work', () => {
  test('goes on with every execution, and repeats at most the step that was in flight', {
    timeout: 240_000,
  }, async () => {
    console.log(`crash: seed ${seed}; TENANTRY_SEED=${seed} kills at the same steps again`);
    const random = randoms(seed);
    for (const tenantId of ['kept', 'restored'])
      await succeeded(await start('provision-tenant', { tenantId, plan: 'starter' }, `provision-${tenantId}`));
    await succeeded(await start('back-up-tenant', { tenantId: 'restored' }, 'back-up-restored'));
    await life.sight.pool.query(
      "SELECT set_config('app.tenant_id', 'restored', false); UPDATE realms SET name = 'lost' WHERE tenant_id = 'restored'",
    );
    const begun = await stepsBegun();
    const executions = [
      await start('provision-tenant', { tenantId: 'made', plan: 'starter' }, 'crash-made'),
      await start('back-up-tenant', { tenantId: 'kept' }, 'crash-kept'),
      await start('restore-tenant', { tenantId: 'restored', into: 'in-place', approval: 'given' }, 'crash-restored'),
    ];
    const kills = 4;
    for (let kill = 1; kill <= kills; kill += 1) {
      // These three take some 18 steps: each kill comes 1 to 4 steps after the last one.
      const moment = (kill === 1 ? begun : await stepsBegun()) + 1 + Math.floor(random() * 4);
      const over = await Promise.all(
        executions.map(
          async (executionArn) =>
            (await life.states.send(new DescribeExecutionCommand({ executionArn }))).status !== 'RUNNING',
        ),
      );
      if (over.every(Boolean)) break;
      await until(`step ${moment}`, async () => ((await stepsBegun()) >= moment ? true : undefined), 30_000).catch(
        () => undefined,
      );
      await life.kill();
      life = await startLife(home);
    }
    for (const execution of executions) await succeeded(execution);

    const { rows: repeated } = await life.sight.control.query<{ operation_id: string; step: string; again: number }>(
      `SELECT operation_id, step, count(*)::int - 1 AS again FROM steps
       WHERE error IS DISTINCT FROM 'DatabaseUnavailable' GROUP BY 1, 2 HAVING count(*) > 1`,
    );
    for (const [operation, steps] of Map.groupBy(repeated, ({ operation_id }) => operation_id))
      expect(
        steps.reduce((sum, { again }) => sum + again, 0),
        `repeated steps of ${operation}: ${JSON.stringify(steps)}`,
      ).toBeLessThanOrEqual(kills);
    for (const [tenantId, operation] of [
      ['made', 'crash-made'],
      ['kept', 'crash-kept'],
      ['restored', 'crash-restored'],
    ] as const)
      expect(await worldFindings(life.sight, tenantId, operation, { patience, killed: true })).toEqual([]);
    const { rows: realms } = await life.sight.pool.query("SELECT name FROM realms WHERE tenant_id = 'restored'");
    expect(realms).toEqual([{ name: 'restored' }]);
  });
});
