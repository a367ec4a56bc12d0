import type { DatabaseSync } from 'node:sqlite';
import type { EventSourceMappingConfiguration } from '@aws-sdk/client-lambda';
import { ServiceError } from '../gateway/service.ts';

/** One event source mapping: messages of a queue call a function. Kept as JSON. */
export interface Mapping {
  readonly uuid: string;
  readonly queueArn: string;
  readonly functionArn: string;
  readonly enabled: boolean;
  /** Most messages of one call. */
  readonly batchSize: number;
  /** Seconds to gather a batch; 0 calls at once with what is there. */
  readonly windowSeconds: number;
  readonly reportsItemFailures: boolean;
  /** Calls under way at once, where ScalingConfig sets it. */
  readonly maximumConcurrency: number | undefined;
  /** Patterns of FilterCriteria; a message that fits none is deleted unread. */
  readonly filters: readonly string[];
  readonly modifiedAt: number;
}

export const mappingSchema =
  'CREATE TABLE IF NOT EXISTS mappings (uuid TEXT PRIMARY KEY, mapping TEXT NOT NULL) WITHOUT ROWID;';

export interface MappingStore {
  all(): Mapping[];
  /** Throws ResourceNotFoundException. */
  get(uuid: string): Mapping;
  save(mapping: Mapping): void;
  remove(uuid: string): void;
}

export const openMappingStore = (database: DatabaseSync): MappingStore => {
  const mappings = new Map<string, Mapping>();
  const put = database.prepare('INSERT OR REPLACE INTO mappings VALUES (?, ?)');
  const drop = database.prepare('DELETE FROM mappings WHERE uuid = ?');
  for (const row of database.prepare('SELECT mapping FROM mappings').all() as unknown as { mapping: string }[]) {
    const mapping = JSON.parse(row.mapping) as Mapping;
    mappings.set(mapping.uuid, mapping);
  }
  return {
    all: () => [...mappings.values()],
    get: (uuid) => {
      const mapping = mappings.get(uuid);
      if (mapping === undefined)
        throw new ServiceError('ResourceNotFoundException', `The event source mapping ${uuid} does not exist.`, {
          status: 404,
          members: { Type: 'User' },
        });
      return mapping;
    },
    save: (mapping) => {
      put.run(mapping.uuid, JSON.stringify(mapping));
      mappings.set(mapping.uuid, mapping);
    },
    remove: (uuid) => {
      drop.run(uuid);
      mappings.delete(uuid);
    },
  };
};

/** A mapping as the Lambda API shows it. */
export const mappingConfiguration = (
  mapping: Mapping,
  state: 'Enabled' | 'Disabled' | 'Creating' | 'Deleting',
  place: { region: string; accountId: string },
): EventSourceMappingConfiguration => ({
  UUID: mapping.uuid,
  EventSourceMappingArn: `arn:aws:lambda:${place.region}:${place.accountId}:event-source-mapping:${mapping.uuid}`,
  EventSourceArn: mapping.queueArn,
  FunctionArn: mapping.functionArn,
  BatchSize: mapping.batchSize,
  MaximumBatchingWindowInSeconds: mapping.windowSeconds,
  State: state,
  StateTransitionReason: 'USER_INITIATED',
  LastModified: new Date(mapping.modifiedAt),
  FunctionResponseTypes: mapping.reportsItemFailures ? ['ReportBatchItemFailures'] : [],
  ...(mapping.maximumConcurrency === undefined
    ? {}
    : { ScalingConfig: { MaximumConcurrency: mapping.maximumConcurrency } }),
  ...(mapping.filters.length === 0
    ? {}
    : { FilterCriteria: { Filters: mapping.filters.map((Pattern) => ({ Pattern })) } }),
});
