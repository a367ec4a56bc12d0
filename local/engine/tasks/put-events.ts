import { ServiceError } from '../../gateway/service.ts';
import type { BusEntry } from '../../ports.ts';
import { StateFailure } from '../failure.ts';
import type { Frame } from '../frame.ts';
import type { World } from '../world.ts';
import { serviceCause } from './lambda.ts';

interface Entry {
  readonly Source?: string;
  readonly DetailType?: string;
  readonly Detail?: unknown;
  readonly EventBusName?: string;
  readonly Resources?: string[];
  readonly Time?: string;
}

/** EventBridge wants Detail as text; Step Functions takes an object and adds machine and execution to Resources. */
const busEntry = (entry: Entry, frame: Frame): BusEntry => ({
  ...(entry.Source === undefined ? {} : { Source: entry.Source }),
  ...(entry.DetailType === undefined ? {} : { DetailType: entry.DetailType }),
  ...(entry.EventBusName === undefined ? {} : { EventBusName: entry.EventBusName }),
  ...(entry.Time === undefined ? {} : { Time: new Date(entry.Time) }),
  Detail: typeof entry.Detail === 'string' ? entry.Detail : JSON.stringify(entry.Detail ?? {}),
  Resources: [...(entry.Resources ?? []), frame.run.machineArn, frame.run.arn],
});

/** `events:putEvents`. One entry that the bus refuses fails the task with EventBridge.FailedEntry and the whole answer as cause. */
export const putEvents = async (world: World, frame: Frame, parameters: unknown): Promise<unknown> => {
  const entries = (parameters as { Entries?: unknown } | null)?.Entries;
  if (!Array.isArray(entries) || entries.length === 0) {
    throw new StateFailure(
      'States.Runtime',
      `Arguments.Entries of events:putEvents is ${JSON.stringify(entries)}, give at least one entry`,
    );
  }
  try {
    const answer = await world.integrations.events.putEvents(entries.map((entry: Entry) => busEntry(entry, frame)));
    if (answer.FailedEntryCount > 0) throw new StateFailure('EventBridge.FailedEntry', JSON.stringify(answer));
    return { Entries: answer.Entries, FailedEntryCount: 0 };
  } catch (error) {
    if (error instanceof StateFailure) throw error;
    const name = error instanceof ServiceError ? error.name : 'SdkClientException';
    const message = error instanceof Error ? error.message : String(error);
    throw new StateFailure(
      `EventBridge.${name}Exception`.replace('ExceptionException', 'Exception'),
      serviceCause('AmazonEventBridge', name, message),
    );
  }
};
