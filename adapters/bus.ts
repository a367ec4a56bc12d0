import { type EventBridgeClient, PutEventsCommand } from '@aws-sdk/client-eventbridge';
import { requestSource, resultSource } from '../domain/deployment.ts';

export interface Bus {
  /** Puts one event of source `tenantry.saas` on the bus; answers its bus id. PutEvents answers 200 for a refused entry, this throws. */
  publish(detailType: string, detail: object): Promise<string>;
  /** The same for a result, source `tenantry`: for an operation whose machine can announce nothing any more. */
  announce(detailType: string, detail: object): Promise<string>;
}

export const openBus = (client: EventBridgeClient, busName: string): Bus => {
  const put = async (source: string, detailType: string, detail: object): Promise<string> => {
    const { Entries } = await client.send(
      new PutEventsCommand({
        Entries: [{ EventBusName: busName, Source: source, DetailType: detailType, Detail: JSON.stringify(detail) }],
      }),
    );
    const [entry] = Entries ?? [];
    if (!entry?.EventId)
      throw new Error(
        `bus ${busName} refused ${detailType}: ${entry?.ErrorCode ?? 'no answer'} ${entry?.ErrorMessage ?? ''}`,
      );
    return entry.EventId;
  };
  return {
    publish: (detailType, detail) => put(requestSource, detailType, detail),
    announce: (detailType, detail) => put(resultSource, detailType, detail),
  };
};
