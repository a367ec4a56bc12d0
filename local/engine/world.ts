import type { DatabaseSync } from 'node:sqlite';
import type { EventPublisher, FunctionInvoker, ObjectStore, ServiceEvents, TaskRunner } from '../ports.ts';
import type { Executions } from './executions.ts';
import type { FrameStore } from './frame.ts';
import type { History } from './history.ts';
import type { Journal } from './journal.ts';
import type { Machines } from './machines.ts';
import type { MapRuns } from './maps/map-runs.ts';
import type { Scope } from './scope.ts';
import type { StatusEvents } from './status-events.ts';
import type { Tokens } from './tokens.ts';

/** What Task states may reach; the same ports that the services of the laptop AWS give each other. */
export interface Integrations {
  readonly functions: FunctionInvoker;
  readonly events: EventPublisher;
  readonly objects: ObjectStore;
  /** Without it no machine can run a container task. */
  readonly tasks?: TaskRunner;
  /** Hears of every change of an execution's status; without it nobody does. */
  readonly statusEvents?: ServiceEvents;
}

export type Log = (line: string) => void;

/** The parts of one engine, known to each other. */
export interface World {
  readonly region: string;
  readonly accountId: string;
  readonly integrations: Integrations;
  readonly log: Log;
  readonly database: DatabaseSync;
  readonly journal: Journal;
  readonly history: History;
  readonly frames: FrameStore;
  readonly tokens: Tokens;
  readonly mapRuns: MapRuns;
  readonly machines: Machines;
  readonly executions: Executions;
  readonly statusEvents: StatusEvents;
  /** Ends when the engine closes. */
  readonly scope: Scope;
}
