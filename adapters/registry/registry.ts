import type { Sql } from '../postgres/sql.ts';
import { type Audit, openAudit } from './audit.ts';
import { type BackupObjects, openBackupObjects } from './backup-objects.ts';
import { type Backups, openBackups } from './backups.ts';
import { type Cells, openCells } from './cells.ts';
import { type Clusters, openClusters } from './clusters.ts';
import { type Domains, openDomains } from './domains.ts';
import { type Drills, openDrills } from './drills.ts';
import { type Events, openEvents } from './events.ts';
import { type Journal, openJournal } from './journal.ts';
import { type Leases, openLeases } from './leases.ts';
import { type Moves, openMoves } from './moves.ts';
import { type Operations, openOperations } from './operations.ts';
import { openPlacements, type Placements } from './placements.ts';
import { openPlanChanges, type PlanChanges } from './plan-changes.ts';
import { openRecoveries, type Recoveries } from './recoveries.ts';
import { openRestores, type Restores } from './restores.ts';
import { openRetention, type RetentionRecords } from './retention.ts';
import { openRoutes, type Routes } from './routes.ts';
import { openServers, type Servers } from './servers.ts';
import { openSlices, type Slices } from './slices.ts';
import { openTenants, type Tenants } from './tenants.ts';

export interface RegistryParts {
  readonly tenants: Tenants;
  readonly placements: Placements;
  readonly cells: Cells;
  readonly servers: Servers;
  readonly clusters: Clusters;
  readonly leases: Leases;
  readonly operations: Operations;
  readonly journal: Journal;
  readonly backups: Backups;
  readonly backupObjects: BackupObjects;
  readonly slices: Slices;
  readonly drills: Drills;
  readonly retention: RetentionRecords;
  readonly restores: Restores;
  readonly recoveries: Recoveries;
  readonly moves: Moves;
  readonly planChanges: PlanChanges;
  readonly routes: Routes;
  readonly domains: Domains;
  readonly audit: Audit;
  readonly events: Events;
}

/** The control database by its nouns. */
export interface Registry extends RegistryParts {
  /**
   * Runs `work` in one transaction: a step holds the lease first and then changes what it must, so that an effect of an
   * operation that lost its lease or has ended cannot commit.
   */
  transaction<Result>(work: (registry: RegistryParts) => Promise<Result>): Promise<Result>;
}

const parts = (sql: Sql): RegistryParts => ({
  tenants: openTenants(sql),
  placements: openPlacements(sql),
  cells: openCells(sql),
  servers: openServers(sql),
  clusters: openClusters(sql),
  leases: openLeases(sql),
  operations: openOperations(sql),
  journal: openJournal(sql),
  backups: openBackups(sql),
  backupObjects: openBackupObjects(sql),
  slices: openSlices(sql),
  drills: openDrills(sql),
  retention: openRetention(sql),
  restores: openRestores(sql),
  recoveries: openRecoveries(sql),
  moves: openMoves(sql),
  planChanges: openPlanChanges(sql),
  routes: openRoutes(sql),
  domains: openDomains(sql),
  audit: openAudit(sql),
  events: openEvents(sql),
});

export const openRegistry = (sql: Sql): Registry => ({
  ...parts(sql),
  transaction: (work) => sql.transaction((within) => work(parts(within))),
});
