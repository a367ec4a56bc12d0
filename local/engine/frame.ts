import type { DatabaseSync } from 'node:sqlite';
import type { Machine } from './definition.ts';
import { type Payload, storedPayload } from './payload.ts';
import type { Run } from './run.ts';
import type { Scope } from './scope.ts';

export type Variables = Readonly<Record<string, unknown>>;

/** `$states.context.Map.Item` of an iteration. */
export interface MapItem {
  readonly Index: number;
  readonly Value: unknown;
  readonly Key?: string;
}

/** A task that was scheduled. Times are absolute, so a restart moves none of them. */
export interface TaskProgress {
  /** Id of the event that holds the arguments: a repeat after a crash sends the very same ones. */
  readonly scheduled: number;
  readonly timeoutAt?: number;
  readonly timeoutSeconds?: number;
  readonly heartbeatSeconds?: number;
  /** When the silence began that HeartbeatSeconds measures, before any heartbeat. */
  readonly heartbeatFrom?: number;
  readonly token?: string;
  /** The request was answered: only the callback or the nested execution is awaited. */
  submitted?: true;
  /** ARN of the nested execution. */
  child?: string;
}

/** How far the frame is inside its state; all that must survive a kill beside input and variables. */
export interface Progress {
  enteredAt: number;
  /** Retrier index -> attempts used. */
  tries?: Record<number, number>;
  /** All retries of this visit: `$states.context.State.RetryCount`. */
  retryCount?: number;
  /** End of a Retry back-off. */
  retryAt?: number;
  /** End of a Wait. */
  until?: number;
  task?: TaskProgress;
  /** Id of ParallelStateStarted or MapStateStarted. */
  started?: number;
  /** Inputs of the iterations of an inline Map, evaluated once. */
  items?: { readonly input: unknown; readonly item: MapItem }[];
  /** ARN of the Map Run of a distributed Map. */
  mapRun?: string;
}

/** One line of states: the root of an execution, a branch, or an iteration. */
export interface Frame {
  readonly run: Run;
  readonly path: string;
  readonly machine: Machine;
  readonly scope: Scope;
  readonly item: MapItem | undefined;
  /** Frames below, by path, as long as they are open in memory. */
  readonly children: Set<Frame>;
  readonly outer: Variables;
  own: Variables;
  /** `outer` and `own` as expressions see them. */
  visible: Variables;
  state: string;
  input: Payload;
  progress: Progress;
  /** Id of the frame's last event: `previousEventId` of the next. */
  previous: number;
  output: Payload | undefined;
}

interface FrameRow {
  readonly path: string;
  readonly state: string;
  readonly input: string;
  readonly variables: string;
  readonly progress: string;
  readonly previous: number;
  readonly output: string | null;
}

/** What was stored of a frame in an earlier life of the engine. */
export type StoredFrame = Pick<Frame, 'state' | 'input' | 'own' | 'progress' | 'previous' | 'output'>;

export interface FrameStore {
  save(frame: Frame): void;
  load(key: number): Map<string, StoredFrame>;
  /** Forgets every frame below `path`; the whole execution when `path` is undefined. */
  drop(key: number, path?: string): void;
  /** Writes a changed progress of a frame that is not in memory (redrive). */
  rewind(key: number, path: string, stored: StoredFrame): void;
}

export const openFrames = (database: DatabaseSync): FrameStore => {
  const upsert = database.prepare('INSERT OR REPLACE INTO frames VALUES(?,?,?,?,?,?,?,?)');
  const select = database.prepare('SELECT * FROM frames WHERE execution = ?');
  const dropAll = database.prepare('DELETE FROM frames WHERE execution = ?');
  // Paths are /0/3/1: '0' is the character after '/', so the range holds exactly what lies below.
  const dropBelow = database.prepare('DELETE FROM frames WHERE execution = ? AND path > ? AND path < ?');
  const texts = new WeakMap<Variables, string>();
  const textOf = (variables: Variables): string => {
    let text = texts.get(variables);
    if (text === undefined) {
      text = JSON.stringify(variables);
      texts.set(variables, text);
    }
    return text;
  };
  const write = (key: number, path: string, frame: StoredFrame): void => {
    const { state, input, own, progress, previous, output } = frame;
    upsert.run(key, path, state, input.text, textOf(own), JSON.stringify(progress), previous, output?.text ?? null);
  };
  return {
    save: (frame) => write(frame.run.key, frame.path, frame),
    rewind: write,
    load: (key) =>
      new Map(
        (select.all(key) as unknown as FrameRow[]).map((row) => [
          row.path,
          {
            state: row.state,
            input: storedPayload(row.input),
            own: JSON.parse(row.variables),
            progress: JSON.parse(row.progress),
            previous: row.previous,
            output: row.output === null ? undefined : storedPayload(row.output),
          },
        ]),
      ),
    drop: (key, path) => {
      if (path === undefined) dropAll.run(key);
      else dropBelow.run(key, `${path}/`, `${path}0`);
    },
  };
};

/** No variables: shared, so that its text is made once. */
export const noVariables: Variables = {};

export interface Opening {
  readonly run: Run;
  readonly path: string;
  readonly machine: Machine;
  readonly scope: Scope;
  readonly outer: Variables;
  readonly input: Payload;
  readonly previous: number;
  readonly item?: MapItem;
}

/** A frame as it was stored in an earlier life, or undefined when this path never started. */
export const restoreFrame = (opening: Omit<Opening, 'input' | 'previous'>): Frame | undefined => {
  const stored = opening.run.stored.get(opening.path);
  if (!stored) return undefined;
  opening.run.stored.delete(opening.path);
  return {
    ...opening,
    ...stored,
    item: opening.item,
    children: new Set(),
    visible: { ...opening.outer, ...stored.own },
  };
};

/** A frame that has not entered its first state. */
export const freshFrame = (opening: Opening): Frame => ({
  ...opening,
  item: opening.item,
  children: new Set(),
  own: noVariables,
  visible: opening.outer,
  state: opening.machine.StartAt,
  progress: { enteredAt: Date.now() },
  output: undefined,
});
