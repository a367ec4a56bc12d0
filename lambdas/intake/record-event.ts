import type { SQSBatchResponse, SQSEvent } from 'aws-lambda';
import * as z from 'zod';
import type { World } from '../../adapters/world.ts';
import { readRequest } from '../../domain/events.ts';
import { operationName } from '../../domain/operation.ts';
import { worldOfProcess } from '../step.ts';
import { takeEach } from './batch.ts';

const busEvent = z.object({
  id: z.string(),
  source: z.string(),
  'detail-type': z.string(),
  time: z.coerce.date(),
  detail: z.unknown(),
});

const subject = z.object({
  tenantId: z.string().optional().catch(undefined),
  operation: z.string().optional().catch(undefined),
});

/** Writes a bus event, request or result, into the registry's log, once per bus id. */
export const recordEvent = async (event: unknown, world: World): Promise<void> => {
  const { id, source, 'detail-type': detailType, time, detail } = busEvent.parse(event);
  const about = subject.safeParse(detail).data ?? {};
  const request = readRequest(event);
  const operation =
    'accepted' in request
      ? await operationName(request.accepted.verb, request.accepted.tenantId, request.accepted.eventId)
      : about.operation;
  await world.registry.events.record({
    id,
    source,
    detailType,
    tenantId: about.tenantId,
    operation,
    detail: detail ?? null,
    occurredAt: time,
  });
};

/** A journal entry that cannot be written now comes again, and after five times lies in the dead-letter queue. */
export const handler = (event: SQSEvent): Promise<SQSBatchResponse> =>
  takeEach(event, (body) => recordEvent(JSON.parse(body), worldOfProcess()));
