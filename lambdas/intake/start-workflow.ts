import type { SQSBatchResponse, SQSEvent } from 'aws-lambda';
import type { World } from '../../adapters/world.ts';
import { type AcceptedRequest, readRequest } from '../../domain/events.ts';
import { operationName } from '../../domain/operation.ts';
import { worldOfProcess } from '../step.ts';
import { logger, takeEach } from './batch.ts';

const parse = (body: string): unknown => {
  try {
    return JSON.parse(body);
  } catch {
    return undefined;
  }
};

/** Text that is equal for equal values, whatever the order of their keys: jsonb gives them back in its own. */
const canonical = (value: unknown): string =>
  JSON.stringify(value, (_key, inner: unknown) =>
    typeof inner === 'object' && inner !== null && !Array.isArray(inner)
      ? Object.fromEntries(Object.entries(inner).toSorted(([a], [b]) => (a < b ? -1 : 1)))
      : inner,
  );

/** Starts what the request asks for. The answer is the reason for refusing it, undefined when it runs or has run. */
const start = async (request: AcceptedRequest, world: World): Promise<string | undefined> => {
  const { eventId, detailType, workflow, verb, tenantId, input } = request;
  const operation = await operationName(verb, tenantId, eventId);
  const { events } = world.registry;
  const first = await events.claim({ eventId, detailType, tenantId, kind: workflow, operation, detail: input });
  // The name alone would pass a second, different request for a repeat of the first, and drop it without a word.
  if (first.operation !== operation || canonical(first.detail) !== canonical(input))
    return `${detailType}: detail.eventId ${eventId} was used before by operation ${first.operation} with another detail; give it a new id`;
  // The kept detail, not the delivered one: the same input, byte for byte, for every delivery of the event.
  const { started } = await world.machines.start(workflow, operation, first.detail as object);
  await events.started(eventId);
  logger.info(started ? 'workflow started' : 'duplicate event', { operation, eventId, deliveries: first.deliveries });
  return undefined;
};

const take = async (body: string, world: World): Promise<void> => {
  const request = readRequest(parse(body));
  const refused = 'refused' in request ? request.refused : await start(request.accepted, world);
  if (refused === undefined) return;
  const detailType = 'refused' in request ? request.detailType : request.accepted.detailType;
  await world.deadLetters.send(body, refused, detailType);
  logger.warn('event refused', { reason: refused, detailType });
};

/**
 * Takes a batch of bus events from the intake queue. A good one starts its workflow once, however often it comes; a bad one
 * goes to the dead-letter queue with its reason, at once; one that could not be judged or started now stays in the queue.
 */
export const takeBatch = (event: SQSEvent, world: World): Promise<SQSBatchResponse> =>
  takeEach(event, (body) => take(body, world));

export const handler = (event: SQSEvent): Promise<SQSBatchResponse> => takeBatch(event, worldOfProcess());
