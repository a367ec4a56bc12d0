import * as z from 'zod';

/** One live move of one tenant between two databases. `id` names every object that the move makes in them. */
export interface Move {
  readonly id: string;
  readonly tenantId: string;
  /** Fencing token of the operation; both databases refuse an older one than they have seen. */
  readonly fence: number;
}

/** 12 hex digits: the longest name made of it has 29 bytes. */
export const moveIdSchema = z.string().regex(/^m-[0-9a-f]{12}$/, 'must be m- and 12 hex digits');

/**
 * Where a move stands, as its databases know it. `switched`: the target serves. `returned`: it was moved back and the source
 * serves again. Nothing leaves `finished` and `abandoned`.
 */
export const movePhases = ['copying', 'switched', 'returned', 'finished', 'abandoned'] as const;
export type MovePhase = (typeof movePhases)[number];

export type MoveStep =
  | 'openCopy'
  | 'openWayBack'
  | 'cutOver'
  | 'freezeMove'
  | 'startWayBack'
  | 'verifyCopy'
  | 'moveBack'
  | 'finishMove'
  | 'abandonMove';

/** The phases in which a step may run or run again; `new` is a move that no database has heard of. */
const open: Readonly<Record<MoveStep, readonly (MovePhase | 'new')[]>> = {
  openCopy: ['new', 'copying'],
  openWayBack: ['copying'],
  // A repeat after the commit point finishes what is left.
  cutOver: ['copying', 'switched'],
  freezeMove: ['new', 'copying', 'switched'],
  startWayBack: ['switched'],
  verifyCopy: ['switched'],
  moveBack: ['switched', 'returned'],
  finishMove: ['switched', 'returned', 'finished'],
  abandonMove: ['new', 'copying', 'abandoned'],
};

/** Why a step may not run in this phase, undefined when it may. `late`: the move is over, so its attempt came too late. */
export const phaseRefusal = (
  step: MoveStep,
  phase: MovePhase | 'new',
): { readonly late: boolean; readonly reason: string } | undefined => {
  if (open[step].includes(phase)) return undefined;
  const late = phase === 'finished' || phase === 'abandoned';
  const fixes: Readonly<Record<MovePhase | 'new', string>> = {
    new: 'open its copy first',
    copying: 'cut over first, or abandon it',
    switched: 'finish it, or move back',
    returned: 'finish it; a new move may follow',
    finished: 'start a new move',
    abandoned: 'start a new move',
  };
  return { late, reason: `${step} does not fit a move that is ${phase}; ${fixes[phase]}` };
};

export const preflightChecks = [
  'tenant',
  'target',
  'other-moves',
  'versions',
  'schema',
  'fence',
  'replica-identity',
  'persistence',
  'large-objects',
  'id-spaces',
  'reference-rows',
  'wal-level',
  'capacity',
  'disk',
  'oldest-transaction',
  'privileges',
  'connection',
  'publication',
] as const;

export interface Finding {
  readonly check: (typeof preflightChecks)[number];
  readonly ok: boolean;
  readonly detail: string;
  /** What an operator does about it; null where it is well. */
  readonly fix: string | null;
  /** What it forbids while it is not well: the live move only, or the freeze move as well. */
  readonly blocks: 'live' | 'both';
}

/** How the tenant can be moved: `live`, only by `freeze`, or not at all. */
export const moveMode = (findings: readonly Finding[]): 'live' | 'freeze' | 'none' => {
  const broken = findings.filter(({ ok }) => !ok);
  if (broken.length === 0) return 'live';
  return broken.some(({ blocks }) => blocks === 'both') ? 'none' : 'freeze';
};

export interface TableSize {
  /** `schema.table`, the root of a partition tree. */
  readonly table: string;
  readonly rows: number;
  /** Bytes as stored. */
  readonly bytes: number;
}

export interface MoveEstimate {
  readonly rows: number;
  readonly bytes: number;
  readonly tables: readonly TableSize[];
  readonly live: { readonly copySeconds: number; readonly stallSeconds: number };
  readonly freeze: { readonly stallSeconds: number };
}

const megabyte = 1_000_000;
/** Bytes per second, measured on two shared cores with 1.1 GB: initial copy 15 s; dump, restore and comparison of a freeze. */
const rates = { copy: 73 * megabyte, dump: 50 * megabyte, restore: 80 * megabyte, compare: 50 * megabyte } as const;
/** A copy starts one worker per table, two at a time (0.6 s for 20 tables of 10 MB); a freeze has about 0.2 s of its own. */
const fixed = { perTable: 0.025, liveStall: 0.1, freezeStall: 0.2 } as const;

/** Seconds that a move will take, rounded to milliseconds. The stall of a live move does not grow with the tenant. */
export const estimateMove = (tables: readonly TableSize[]): MoveEstimate => {
  const bytes = tables.reduce((sum, table) => sum + table.bytes, 0);
  const rounded = (seconds: number): number => Math.round(seconds * 1_000) / 1_000;
  // The rows stream from one server to the other, so the slower of the two counts; the comparison follows.
  const freeze = fixed.freezeStall + bytes / Math.min(rates.dump, rates.restore) + bytes / rates.compare;
  return {
    rows: tables.reduce((sum, table) => sum + table.rows, 0),
    bytes,
    tables,
    live: { copySeconds: rounded(tables.length * fixed.perTable + bytes / rates.copy), stallSeconds: fixed.liveStall },
    freeze: { stallSeconds: rounded(freeze) },
  };
};

export interface LagSample {
  /** Milliseconds on any clock that does not go back. */
  readonly at: number;
  readonly lagBytes: number;
}

export type Convergence = 'converged' | 'shrinking' | 'diverging';

/** Lag below which a fence is worth its while: 64 KiB are applied in about a millisecond. */
export const lagThreshold = 65_536;
/** Fewer samples than this say nothing about a trend. */
const trendSamples = 4;

/** Least-squares slope in bytes per millisecond. */
const slope = (samples: readonly LagSample[]): number => {
  const mean = (pick: (sample: LagSample) => number): number =>
    samples.reduce((sum, sample) => sum + pick(sample), 0) / samples.length;
  const [at, lag] = [mean((sample) => sample.at), mean((sample) => sample.lagBytes)];
  const spread = samples.reduce((sum, sample) => sum + (sample.at - at) ** 2, 0);
  return spread === 0 ? 0 : samples.reduce((sum, s) => sum + (s.at - at) * (s.lagBytes - lag), 0) / spread;
};

/**
 * Whether catching up will end, from lag samples in order of time. `converged` when the last one is within the threshold.
 * `diverging` when, over at least four samples, the lag does not fall, or falls so slowly that it needs longer than
 * `patience` milliseconds: the writers are faster than the one process that applies. Else `shrinking`.
 */
export const convergence = (
  samples: readonly LagSample[],
  { threshold = lagThreshold, patience = 600_000 }: { threshold?: number; patience?: number } = {},
): Convergence => {
  const last = samples.at(-1);
  if (!last) return 'shrinking';
  if (last.lagBytes <= threshold) return 'converged';
  if (samples.length < trendSamples) return 'shrinking';
  const fall = -slope(samples);
  return fall > 0 && (last.lagBytes - threshold) / fall <= patience ? 'shrinking' : 'diverging';
};
