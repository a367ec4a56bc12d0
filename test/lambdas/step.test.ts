import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import * as z from 'zod';
import { openRegistryConnection } from '../../adapters/postgres/connection.ts';
import { openRegistry } from '../../adapters/registry/registry.ts';
import { openWorld, type World } from '../../adapters/world.ts';
import { StepFailure } from '../../domain/errors.ts';
import { step } from '../../lambdas/step.ts';
import { startTestRegistry, type TestRegistry } from '../adapters/registry/database.ts';

let control: TestRegistry;
let world: World;
beforeAll(async () => {
  control = await startTestRegistry();
  world = Object.create(openWorld({}), { registry: { value: control.registry } }) as World;
});
afterAll(() => control.stop());

const contract = {
  input: z.object({ operation: z.string(), tenantId: z.string(), count: z.int().default(1) }),
  output: z.object({ count: z.int() }),
};
const stepThat = (work: Parameters<typeof step<typeof contract.input, typeof contract.output>>[2]) =>
  step('PlaceTenant', contract, work);
const journalOf = async (operation: string) =>
  (await control.registry.journal.list(operation)).map(({ status, error, detail }) => ({ status, error, detail }));

describe('a step', () => {
  test('drops keys that its contract does not name, fills defaults and journals its success', async () => {
    const handler = stepThat(async (input) => {
      expect(input).toEqual({ operation: 'op-1', tenantId: 'acme', count: 1 });
      return { count: 2 };
    });
    const event = { operation: 'op-1', tenantId: 'acme', comment: 'by hand' };
    expect(await handler.run(event, world)).toEqual({ count: 2 });
    expect(await journalOf('op-1')).toEqual([{ status: 'succeeded', error: null, detail: null }]);
  });

  test('refuses a bad input before its work, naming field and value', async () => {
    const handler = stepThat(() => Promise.reject(new Error('must not run')));
    await expect(handler.run({ operation: 'op-2', tenantId: 7 }, world)).rejects.toMatchObject({
      name: 'InvalidStepInput',
      message: expect.stringMatching(/^PlaceTenant: tenantId .*\(got 7\)$/),
    });
    expect(await journalOf('op-2')).toMatchObject([{ status: 'failed', error: 'InvalidStepInput' }]);
    await expect(handler.run(null, world)).rejects.toMatchObject({ name: 'InvalidStepInput' });
  });

  test('does not hand on an output that breaks its contract', async () => {
    const handler = stepThat(async () => ({ count: 1.5 }));
    await expect(handler.run({ operation: 'op-3', tenantId: 'acme' }, world)).rejects.toThrow(/count/);
  });

  test('keeps the literal name of a failure, and journals it with its sentence', async () => {
    const handler = stepThat(() => Promise.reject(new StepFailure('TenantBusy', 'held by op-9')));
    await expect(handler.run({ operation: 'op-4', tenantId: 'acme' }, world)).rejects.toMatchObject({
      name: 'TenantBusy',
    });
    expect(await journalOf('op-4')).toEqual([{ status: 'failed', error: 'TenantBusy', detail: 'held by op-9' }]);
  });

  test.each(['57P01', '08006', 'ECONNREFUSED', '40P01'])(
    'names %s DatabaseUnavailable, which machines retry',
    async (code) => {
      const handler = stepThat(() => Promise.reject(Object.assign(new Error('gone'), { code })));
      await expect(handler.run({ operation: `op-${code}`, tenantId: 'acme' }, world)).rejects.toMatchObject({
        name: 'DatabaseUnavailable',
      });
    },
  );

  test('whose registry is away is DatabaseUnavailable too', async () => {
    const login = async () => ({ username: 'x', password: 'x' });
    const values = async () => ({});
    const secrets = {
      credentials: login,
      values,
      ensure: login,
      remove: async () => undefined,
      forget: () => undefined,
    };
    const place = { host: '127.0.0.1', port: 1, database: 'control', secretId: 'x' };
    const registry = openRegistry(openRegistryConnection(place, secrets));
    const away = Object.create(world, { registry: { value: registry } }) as World;
    const handler = stepThat(async () => ({ count: 1 }));
    await expect(handler.run({ operation: 'op-5', tenantId: 'acme' }, away)).rejects.toMatchObject({
      name: 'DatabaseUnavailable',
    });
  });

  test('that is out of time fails under the name Lambda uses, after its journal entry', async () => {
    const controller = new AbortController();
    const handler = stepThat(() => {
      controller.abort();
      return new Promise<never>(() => undefined);
    });
    await expect(handler.run({ operation: 'op-6', tenantId: 'acme' }, world, controller.signal)).rejects.toMatchObject({
      name: 'Sandbox.Timedout',
    });
    expect(await journalOf('op-6')).toMatchObject([{ status: 'failed', error: 'Sandbox.Timedout' }]);
  });

  test('that fails where the journal cannot be written fails with its own error', async () => {
    const broken = Object.create(world, {
      registry: {
        value: {
          ...control.registry,
          journal: { ...control.registry.journal, end: () => Promise.reject(new Error('no')) },
        },
      },
    }) as World;
    const failing = stepThat(() => Promise.reject(new StepFailure('NoCapacity', 'full')));
    await expect(failing.run({ operation: 'op-7', tenantId: 'acme' }, broken)).rejects.toMatchObject({
      name: 'NoCapacity',
    });
    const fine = stepThat(async () => ({ count: 1 }));
    expect(await fine.run({ operation: 'op-7', tenantId: 'acme' }, broken)).toEqual({ count: 1 });
  });
});

test('a world names the variable that is missing, and only when its member is used', () => {
  const bare = openWorld({});
  expect(() => bare.machines).toThrow(/STATE_MACHINE_ARN_PREFIX is not set/);
  expect(() => bare.registry).toThrow(/REGISTRY_HOST is not set/);
});
