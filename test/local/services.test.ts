import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { afterAll, expect, test } from 'vitest';
import { openCredentialStore } from '../../local/gateway/credentials.ts';
import type { Call, SchemaService } from '../../local/gateway/service.ts';
import { createServices, type Services } from '../../local/services.ts';

const home = mkdtempSync(join(tmpdir(), 'tenantry-services-'));
afterAll(() => rmSync(home, { recursive: true, force: true }));

const [region, accountId] = ['eu-central-1', '000000000000'];
const key = { accessKeyId: 'AKIAAAAAAAAAAAAAAAAA', secretAccessKey: 'secret' };
const call = {
  requestId: 'r',
  endpoint: 'http://127.0.0.1:1',
  signal: new AbortController().signal,
  caller: { accessKeyId: key.accessKeyId, accountId, region, principalArn: `arn:aws:iam::${accountId}:root` },
} satisfies Call;

const live = (): Services =>
  createServices({
    home,
    region,
    accountId,
    credentials: openCredentialStore({ file: join(home, 'credentials.json'), accountId, ...key }),
    endpoint: () => call.endpoint,
    log: () => undefined,
  });

const ask = async <Output>(services: Services, signingName: string, operation: string, input: object) => {
  const service = services.all.find((one) => one.signingName === signingName) as SchemaService;
  return (await service.operations[operation]!(input, call)) as Output;
};

const end = async (services: Services): Promise<void> => {
  await services.quiesce();
  for (const service of services.all) await service.close?.();
};

test('a schedule that came due while the laptop was off waits for its target to be deployed again', async () => {
  const due = new Date(Date.now() + 2_000);
  const first = live();
  first.resume();
  await ask(first, 'scheduler', 'CreateSchedule', {
    Name: 'once',
    ScheduleExpression: `at(${due.toISOString().slice(0, 19)})`,
    FlexibleTimeWindow: { Mode: 'OFF' },
    Target: {
      Arn: `arn:aws:sqs:${region}:${accountId}:late`,
      RoleArn: `arn:aws:iam::${accountId}:role/scheduler`,
      Input: '"hello"',
      RetryPolicy: { MaximumRetryAttempts: 0 },
    },
  });
  await end(first);
  const second = live();
  try {
    await delay(Math.max(0, due.getTime() - Date.now()) + 500);
    const { QueueUrl } = await ask<{ QueueUrl: string }>(second, 'sqs', 'CreateQueue', { QueueName: 'late' });
    second.resume();
    const { Messages = [] } = await ask<{ Messages?: { Body: string }[] }>(second, 'sqs', 'ReceiveMessage', {
      QueueUrl,
      WaitTimeSeconds: 10,
    });
    expect(Messages.map(({ Body }) => Body)).toEqual(['"hello"']);
  } finally {
    await end(second);
  }
});
