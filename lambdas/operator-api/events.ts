import { randomUUID } from 'node:crypto';
import { setTimeout as delay } from 'node:timers/promises';
import { Hono } from 'hono';
import * as z from 'zod';
import type { RecordedEvent } from '../../adapters/registry/events.ts';
import type { World } from '../../adapters/world.ts';
import { readRequest } from '../../domain/events.ts';
import { operationName } from '../../domain/operation.ts';
import { type ApiEnv, audited, bodyOf, limit, queryOf } from './request.ts';

const listQuery = z.object({
  after: z.coerce.number().int().min(0).optional(),
  tenant: z.string().optional(),
  limit,
  /** Seconds to wait for an event when there is none: under the 29 s after which API Gateway gives up. */
  wait: z.coerce.number().min(0).max(20).default(0),
});

const publishBody = z.object({ detailType: z.string().min(1).max(128), detail: z.record(z.string(), z.unknown()) });

/** A reader waits at most this long for an event that is there: four cheap index look-ups a second and reader. */
const pollMillis = 250;

const read = async (world: World, query: z.output<typeof listQuery>): Promise<RecordedEvent[]> =>
  query.after === undefined
    ? (await world.registry.events.latest(query.limit)).filter(
        ({ tenantId }) => query.tenant === undefined || tenantId === query.tenant,
      )
    : world.registry.events.list({ after: query.after, limit: query.limit, tenantId: query.tenant });

const awaitEvents = async (world: World, query: z.output<typeof listQuery>): Promise<RecordedEvent[]> => {
  const deadline = performance.now() + query.wait * 1_000;
  for (;;) {
    const events = await read(world, query);
    const left = deadline - performance.now();
    if (events.length > 0 || query.after === undefined || left <= 0) return events;
    await delay(Math.min(pollMillis, left));
  }
};

/** What went over the bus, in order, and a way to put something on it. */
export const eventRoutes = new Hono<ApiEnv>()
  .get('/', async (context) => {
    const query = queryOf(context, listQuery);
    const events = await awaitEvents(context.get('world'), query);
    const items = events.map(({ sequence, occurredAt, ...event }) => ({
      cursor: sequence,
      time: occurredAt,
      ...event,
    }));
    return context.json({ items, cursor: items.at(-1)?.cursor ?? query.after ?? 0 });
  })
  .post('/', async (context) => {
    const { detailType, detail } = await bodyOf(context, publishBody);
    const eventId = typeof detail.eventId === 'string' && detail.eventId !== '' ? detail.eventId : randomUUID();
    const tenantId = typeof detail.tenantId === 'string' ? detail.tenantId : undefined;
    // Published all the same when it will be refused: the dead-letter queue is where the sender's mistake is looked up.
    const judged = readRequest({ id: eventId, 'detail-type': detailType, detail });
    const operation =
      'accepted' in judged
        ? await operationName(judged.accepted.verb, judged.accepted.tenantId, judged.accepted.eventId)
        : undefined;
    const answer = await audited(context, { action: 'event.publish', tenantId, detail: { detailType } }, async () => {
      const busId = await context.get('world').bus.publish(detailType, { ...detail, eventId });
      const refused = 'refused' in judged ? { refused: judged.refused } : {};
      return { eventId, busId, ...(operation === undefined ? refused : { operation }) };
    });
    return context.json(answer, 202);
  });
