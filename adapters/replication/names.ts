import type { Move } from '../../domain/move.ts';

/** `out` carries changes from the source to the target, `back` those that the target takes after the switch. */
export type Direction = 'out' | 'back';

/**
 * Name of the publication, slot and subscription of one direction. Slots belong to the whole server, which may be that of
 * both sides, so the direction is part of it; slot names take lower case, digits and underscore only.
 */
export const channelName = ({ id }: Pick<Move, 'id'>, direction: Direction): string =>
  `tn_move_${id.slice(2)}_${direction}`;

/** POSIX regular expression of all such names. */
export const channelPattern = '^tn_move_[0-9a-f]{12}_(out|back)$';

/** The move that an object belongs to. */
export const moveOfChannel = (name: string): string | undefined => {
  const found = /^tn_move_([0-9a-f]{12})_(?:out|back)$/.exec(name);
  return found ? `m-${found[1]}` : undefined;
};
