import type { Isolation, Tier } from './placement.ts';

/** One end of a move as people read it. */
export interface MoveEnd {
  /** Not in records of releases that had no tiers. */
  readonly tier?: Tier;
  /** Of the own app; null for tier `shared`, and before a new one is reserved. */
  readonly cluster?: string | null;
  readonly isolation: Isolation;
  readonly cell: string;
  readonly server: string | null;
  readonly database: string | null;
}

const describeRows = ({ isolation, cell, server, database }: MoveEnd): string => {
  if (isolation === 'pooled') return `pooled in ${cell}`;
  return isolation === 'database' ? `database ${database ?? '(new)'} on ${server}` : `server ${server ?? '(new)'}`;
};

/** `pooled in eu-1`, `database t_acme on eu-1, app in namespace of eu-1-shared`, `server ..., app in cluster tenantry-acme-3f2a1b`. */
export const describeMoveEnd = (end: MoveEnd): string => {
  const { tier = 'shared', cluster } = end;
  if (tier === 'shared') return describeRows(end);
  return `${describeRows(end)}, app in ${tier === 'namespace' ? 'a namespace of' : 'cluster'} ${cluster ?? '(new)'}`;
};
