import { Hono } from 'hono';
import * as z from 'zod';
import type { DeadLetter } from '../../adapters/dead-letters.ts';
import type { World } from '../../adapters/world.ts';
import { readRequest } from '../../domain/events.ts';
import { Problem } from './problem.ts';
import { type ApiEnv, audited, bodyOf } from './request.ts';

/** More than a page is looked through by replaying and looking again; SQS has no cursor. */
const looked = 100;

const parse = (body: string): unknown => {
  try {
    return JSON.parse(body);
  } catch {
    return undefined;
  }
};

/** Judges it again: a fixed release may take what an older one refused. The reason why not, undefined when it was sent. */
const replay = async (world: World, letter: DeadLetter): Promise<string | undefined> => {
  const judged = readRequest(parse(letter.body));
  if ('refused' in judged) {
    await world.deadLetters.giveBack(letter);
    return judged.refused;
  }
  const { detailType, input, eventId } = judged.accepted;
  // The first bus id stays the event's id, so that a request which did start is not started again.
  await world.bus.publish(detailType, { ...input, eventId });
  await world.deadLetters.remove(letter);
  return undefined;
};

/** Events that were refused or could not be started, each with the reason. */
export const deadLetterRoutes = new Hono<ApiEnv>()
  .get('/', async (context) => {
    const { deadLetters } = context.get('world');
    const letters = await deadLetters.take(looked);
    await Promise.all(letters.map((letter) => deadLetters.giveBack(letter)));
    const items = letters
      .toSorted((a, b) => a.sentAt.getTime() - b.sentAt.getTime())
      .map(({ messageId, reason, detailType, body, sentAt }) => ({
        messageId,
        reason: reason ?? 'it could not be started after several tries; replay it once the cause is gone',
        detailType:
          detailType ?? z.object({ 'detail-type': z.string() }).safeParse(parse(body)).data?.['detail-type'] ?? null,
        sentAt,
        body,
      }));
    return context.json({ items });
  })
  .post('/replay', async (context) => {
    const { messageId } = await bodyOf(context, z.object({ messageId: z.string().min(1).optional() }));
    const world = context.get('world');
    const answer = await audited(context, { action: 'dead-letters.replay', detail: { messageId } }, async () => {
      const letters = await world.deadLetters.take(looked);
      const wanted = letters.filter((letter) => messageId === undefined || letter.messageId === messageId);
      const rest = letters.filter((letter) => !wanted.includes(letter));
      await Promise.all(rest.map((letter) => world.deadLetters.giveBack(letter)));
      if (messageId !== undefined && wanted.length === 0)
        throw new Problem(404, 'dead-letter-not-found', `message ${messageId} is not in the dead-letter queue`);
      const refused: { messageId: string; reason: string }[] = [];
      for (const letter of wanted) {
        const reason = await replay(world, letter);
        if (reason !== undefined) refused.push({ messageId: letter.messageId, reason });
      }
      return { replayed: wanted.length - refused.length, refused };
    });
    return context.json(answer);
  });
