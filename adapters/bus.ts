import { type EventBridgeClient, PutEventsCommand } from '@aws-sdk/client-eventbridge';

export interface Bus {
  /** Puts one event of source `tenantry.saas` on the bus; answers its bus id. PutEvents answers 200 for a refused entry, this throws. */
  publish(detailType: string, detail: object): Promise<string>;
}

export const openBus = (client: EventBridgeClient, busName: string, source: string): Bus => ({
  publish: async (detailType, detail) => {
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
  },
});
