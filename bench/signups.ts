import { setTimeout as delay } from 'node:timers/promises';
import { EventBridgeClient, PutEventsCommand } from '@aws-sdk/client-eventbridge';
import { busName, requestSource } from '../domain/deployment.ts';
import type { Laptop } from './laptop.ts';
import type { BenchRow } from './row.ts';

const percentile = (sorted: readonly number[], share: number): number =>
  sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? Number.NaN;

/** Signups per second that are offered, whatever comes back: an open loop, so that a slow answer does not slow the offer. */
const offeredPerSecond = 22;

/**
 * Pooled signups for `seconds`: one event each on the bus, until the tenant's row says active. Times are those of this
 * machine's one clock: from just before PutEvents to the registry's own timestamp.
 */
export const benchSignups = async (
  laptop: Laptop,
  seconds: number,
): Promise<{ rows: BenchRow[]; tenants: string[] }> => {
  const { cloud } = laptop;
  const events = new EventBridgeClient({
    endpoint: cloud.endpoint,
    region: cloud.region,
    credentials: cloud.credentials,
  });
  const registry = await laptop.connect('control');
  const send = async (tenantId: string): Promise<void> => {
    await events.send(
      new PutEventsCommand({
        Entries: [
          {
            EventBusName: busName,
            Source: requestSource,
            DetailType: 'TenantSignedUp',
            Detail: JSON.stringify({
              tenantId,
              plan: 'starter',
              name: tenantId,
              adminEmail: `owner@${tenantId}.example`,
            }),
          },
        ],
      }),
    );
  };
  const active = async (): Promise<number> => {
    const { rows } = await registry.query<{ n: number }>(
      "SELECT count(*)::int AS n FROM tenants WHERE status = 'active'",
    );
    return rows[0]!.n;
  };
  // Cold starts of seven functions belong to no one's signup but the first.
  await send('warm-up');
  while ((await active()) < 1) await delay(50);
  const sentAt = new Map<string, number>();
  const count = Math.round(seconds * offeredPerSecond);
  const started = performance.now();
  const sending: Promise<void>[] = [];
  for (let index = 0; index < count; index += 1) {
    const due = (index * 1000) / offeredPerSecond - (performance.now() - started);
    if (due > 0) await delay(due);
    const tenantId = `bench-${index}`;
    sentAt.set(tenantId, Date.now());
    sending.push(send(tenantId));
  }
  await Promise.all(sending);
  const deadline = Date.now() + 120_000;
  while ((await active()) < count + 1 && Date.now() < deadline) await delay(100);
  const { rows } = await registry.query<{ id: string; at: Date }>(
    "SELECT t.id, o.ended_at AS at FROM tenants t JOIN operations o ON o.tenant_id = t.id AND o.kind = 'provision-tenant' WHERE t.status = 'active' AND t.id LIKE 'bench-%'",
  );
  const times = rows.map(({ id, at }) => at.getTime() - sentAt.get(id)!).sort((a, b) => a - b);
  const ends = rows.map(({ at }) => at.getTime()).sort((a, b) => a - b);
  const perSecond = rows.length / ((ends.at(-1)! - sentAt.get('bench-0')!) / 1000);
  await registry.end();
  events.destroy();
  const offered = { name: 'offered', value: offeredPerSecond, unit: '1/s' };
  return {
    tenants: rows.map(({ id }) => id),
    rows: [
      {
        name: 'signup.p50_ms',
        value: percentile(times, 0.5),
        unit: 'ms',
        yardstick: offered,
        goal: '< 1000',
        met: percentile(times, 0.5) < 1000,
      },
      { name: 'signup.p99_ms', value: percentile(times, 0.99), unit: 'ms', yardstick: offered },
      {
        name: 'signup.per_s',
        value: perSecond,
        unit: '1/s',
        yardstick: offered,
        goal: `>= 20 for ${seconds} s`,
        met: perSecond >= 20 && rows.length === count,
      },
    ],
  };
};
