import type pg from 'pg';
import type { Finding, MoveEstimate } from '../../domain/move.ts';
import type { Scope } from '../../domain/scope.ts';
import type { MoveSide } from './side.ts';

export interface PreflightRequest {
  readonly source: MoveSide;
  /** Undefined while the place to move to is not made yet: then only the source is looked at. */
  readonly target?: MoveSide | undefined;
  readonly tenantId: string;
  /** The move that this is for: its own objects do not count against it. */
  readonly moveId?: string | undefined;
  /** Free bytes of the target's disk where somebody knows them, such as CloudWatch's FreeStorageSpace; SQL does not tell. */
  readonly freeBytes?: number | undefined;
  /** Seconds that a transaction may have been writing, 60 unless told: a slot is made once every open write has ended. */
  readonly longestWrite?: number | undefined;
}

/** One side as the checks see it. */
export interface Looked {
  readonly name: 'source' | 'target';
  readonly side: MoveSide;
  readonly client: pg.Client;
  readonly scope: Scope;
}

export interface Look {
  readonly request: PreflightRequest;
  readonly source: Looked;
  readonly target: Looked | undefined;
  readonly sides: readonly Looked[];
  readonly estimate: MoveEstimate;
}

/** A finding from the sentences that say what is wrong; none of them means that it is well. */
export const finding = (
  check: Finding['check'],
  blocks: Finding['blocks'],
  broken: readonly string[],
  { well, fix }: { readonly well: string; readonly fix: string },
): Finding => ({
  check,
  ok: broken.length === 0,
  detail: broken.length === 0 ? well : broken.join('; '),
  fix: broken.length === 0 ? null : fix,
  blocks,
});
