import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Call } from '../../../local/gateway/service.ts';
import { createQueuesService, type QueuesService } from '../../../local/services/queues.ts';
import { type VirtualClock, virtualClock } from '../schedules/virtual-clock.ts';

export const place = { region: 'eu-central-1', accountId: '000000000000' } as const;

export const temporaryDirectory = (): { directory: string; remove: () => void } => {
  const directory = mkdtempSync(join(tmpdir(), 'tenantry-'));
  return { directory, remove: () => rmSync(directory, { recursive: true, force: true }) };
};

export const call = (signal: AbortSignal = new AbortController().signal): Call => ({
  requestId: 'request',
  endpoint: 'http://127.0.0.1:1',
  signal,
  caller: {
    accessKeyId: 'AKIA',
    accountId: place.accountId,
    region: place.region,
    principalArn: `arn:aws:iam::${place.accountId}:root`,
  },
});

/** Calls an operation of a service in process, as the gateway does after decoding. */
export const caller =
  (service: { operations: Readonly<Record<string, (input: unknown, call: Call) => unknown>> }) =>
  // biome-ignore lint/suspicious/noExplicitAny: answers of many shapes, looked at by the tests
  async (operation: string, input: object = {}, signal?: AbortSignal): Promise<any> =>
    service.operations[operation]!(input, call(signal));

export interface QueueFixture {
  readonly service: QueuesService;
  readonly clock: VirtualClock;
  readonly run: ReturnType<typeof caller>;
  readonly directory: string;
  close(): void;
}

export const openQueues = (): QueueFixture => {
  const { directory, remove } = temporaryDirectory();
  const clock = virtualClock();
  const service = createQueuesService({ directory, ...place, clock });
  return {
    service,
    clock,
    directory,
    run: caller(service),
    close: () => {
      service.store.close();
      remove();
    },
  };
};
