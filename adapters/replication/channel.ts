import type { ClientBase } from 'pg';
import type { Move } from '../../domain/move.ts';
import { channelName, type Direction } from './names.ts';
import { dropPublication } from './publication.ts';
import { dropSlots } from './slot.ts';
import { dropSubscription, stopSubscription } from './subscription.ts';

/** Removes the subscription, slots and publication of one direction. Safe to repeat; what is gone is gone. */
export const dropChannel = async (
  { publisher, subscriber }: { readonly publisher: ClientBase; readonly subscriber: ClientBase },
  move: Pick<Move, 'id'>,
  direction: Direction,
): Promise<void> => {
  const name = channelName(move, direction);
  const copies = await stopSubscription(subscriber, name);
  if (copies) await dropSlots(publisher, copies);
  await dropSlots(publisher, `^${name}$`);
  await dropSubscription(subscriber, name);
  await dropPublication(publisher, name);
};

/** Everything of a move in both databases except rows. */
export const dropChannels = async (
  { source, target }: { readonly source: ClientBase; readonly target: ClientBase },
  move: Pick<Move, 'id'>,
): Promise<void> => {
  await dropChannel({ publisher: source, subscriber: target }, move, 'out');
  await dropChannel({ publisher: target, subscriber: source }, move, 'back');
};
