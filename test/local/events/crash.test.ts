import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { expect, test } from 'vitest';
import { createTargetDelivery } from '../../../local/events/target-delivery.ts';
import { createEventsService } from '../../../local/services/events.ts';
import { createQueuesService } from '../../../local/services/queues.ts';
import { place, temporaryDirectory } from '../queues/queue-fixture.ts';

const child = fileURLToPath(new URL('./crash-child.ts', import.meta.url));

/** Runs the child until it has acknowledged `enough` events, kills it without warning, answers what it acknowledged. */
const acknowledgedBeforeKill = async (directory: string, enough: number): Promise<string[]> => {
  const running = spawn(process.execPath, [child, directory], { stdio: ['ignore', 'pipe', 'inherit'] });
  const acknowledged: string[] = [];
  for await (const line of createInterface({ input: running.stdout })) {
    acknowledged.push(line);
    if (acknowledged.length === enough) running.kill('SIGKILL');
  }
  if (running.exitCode === null && running.signalCode === null) await once(running, 'exit');
  return acknowledged;
};

const received = async (store: ReturnType<typeof createQueuesService>['store']): Promise<string[]> => {
  const bodies: string[] = [];
  for (;;) {
    const messages = await store.receive('jobs', { max: 10 });
    if (messages.length === 0) return bodies;
    bodies.push(...messages.map(({ body }) => body));
  }
};

test('every event that PutEvents answered for reaches its queue, though the process is killed twice', async () => {
  const { directory, remove } = temporaryDirectory();
  try {
    const first = await acknowledgedBeforeKill(directory, 400);
    const second = await acknowledgedBeforeKill(directory, 400);
    const queues = createQueuesService({ directory, ...place });
    const delivery = createTargetDelivery({ queues: queues.store.sender });
    const events = createEventsService({ directory, ...place, delivery });
    await expect.poll(() => events.deliveries.pending(), { interval: 5, timeout: 20_000 }).toBe(0);
    const bodies = await received(queues.store);
    expect(first.length).toBeGreaterThanOrEqual(400);
    expect(second.length).toBeGreaterThanOrEqual(400);
    const got = new Map<string, number>();
    for (const body of bodies) got.set(body, (got.get(body) ?? 0) + 1);
    // Both lives count from 0, so each number is due as often as it was acknowledged.
    const due = new Map<string, number>();
    for (const number of [...first, ...second]) due.set(number, (due.get(number) ?? 0) + 1);
    const lost = [...due].filter(([number, times]) => (got.get(number) ?? 0) < times);
    expect(lost).toEqual([]);
    events.close();
    queues.store.close();
  } finally {
    remove();
  }
});
