import { createTargetDelivery } from '../../../local/events/target-delivery.ts';
import { createEventsService } from '../../../local/services/events.ts';
import { createQueuesService } from '../../../local/services/queues.ts';

/** Puts numbered events until it is killed, and prints each number once PutEvents has answered for it. */
const [directory = ''] = process.argv.slice(2);
const place = { region: 'eu-central-1', accountId: '000000000000' };
const queues = createQueuesService({ directory, ...place });
const events = createEventsService({
  directory,
  ...place,
  delivery: createTargetDelivery({ queues: queues.store.sender }),
});
// biome-ignore lint/suspicious/noExplicitAny: the operations take no call here
const run = (operation: string, input: object): any => events.operations[operation]!(input, undefined as any);
await queues.store.create('jobs');
await run('PutRule', { Name: 'all', EventPattern: '{"source":["shop"]}' });
await run('PutTargets', {
  Rule: 'all',
  Targets: [{ Id: 'queue', Arn: `arn:aws:sqs:${place.region}:${place.accountId}:jobs`, InputPath: '$.detail.number' }],
});
for (let number = 0; ; number += 10) {
  const numbers = Array.from({ length: 10 }, (_, index) => number + index);
  await Promise.all(
    numbers.map((one) =>
      events.publisher.putEvents([{ Source: 'shop', DetailType: 'Ordered', Detail: JSON.stringify({ number: one }) }]),
    ),
  );
  process.stdout.write(`${numbers.join('\n')}\n`);
}
