import { ServiceError } from '../../gateway/service.ts';
import type { MapRunRow, StatusCount } from '../maps/map-runs.ts';
import { pageToken, placeOf } from '../request.ts';
import type { World } from '../world.ts';
import { existingExecution } from './executions.ts';
import { pageSize } from './machines.ts';

const sum = (counts: readonly StatusCount[], status: string, of: 'executions' | 'items'): number =>
  counts.find((count) => count.status === status)?.[of] ?? 0;

const countsOf = (
  counts: readonly StatusCount[],
  of: 'executions' | 'items',
  total: number,
  resultsWritten: number,
) => {
  const started = counts.reduce((all, count) => all + count[of], 0);
  return {
    pending: total - started,
    running: sum(counts, 'RUNNING', of),
    succeeded: sum(counts, 'SUCCEEDED', of),
    failed: sum(counts, 'FAILED', of),
    timedOut: sum(counts, 'TIMED_OUT', of),
    aborted: sum(counts, 'ABORTED', of),
    total,
    resultsWritten,
  };
};

const stopDate = (row: MapRunRow) => (row.stopped_at === null ? {} : { stopDate: new Date(row.stopped_at) });

/** ListMapRuns and DescribeMapRun. */
export const mapRunOperations = (world: World) => ({
  ListMapRuns: ({
    executionArn,
    maxResults,
    nextToken,
  }: {
    executionArn: string;
    maxResults?: number;
    nextToken?: string;
  }) => {
    const execution = existingExecution(world, executionArn);
    const limit = pageSize(maxResults);
    const from = Number(placeOf(nextToken) ?? 0);
    const rows = world.mapRuns.of(execution.key);
    return {
      mapRuns: rows.slice(from, from + limit).map((row) => ({
        executionArn,
        mapRunArn: row.arn,
        stateMachineArn: row.machine_arn,
        startDate: new Date(row.started_at),
        ...stopDate(row),
      })),
      ...(rows.length > from + limit ? { nextToken: pageToken(from + limit) } : {}),
    };
  },

  DescribeMapRun: ({ mapRunArn }: { mapRunArn: string }) => {
    const row = world.mapRuns.find(mapRunArn);
    if (!row) {
      throw new ServiceError('ResourceNotFound', `Resource not found: '${mapRunArn}'`, {
        members: { resourceName: mapRunArn },
      });
    }
    const counts = world.mapRuns.counts(mapRunArn);
    return {
      mapRunArn,
      executionArn: world.executions.rows.byKey(row.execution).arn,
      status: row.status,
      startDate: new Date(row.started_at),
      ...stopDate(row),
      maxConcurrency: row.max_concurrency,
      toleratedFailureCount: row.tolerated_count,
      toleratedFailurePercentage: row.tolerated_percentage,
      itemCounts: countsOf(counts, 'items', row.items, row.results_written),
      executionCounts: countsOf(counts, 'executions', row.children, row.results_written),
      redriveCount: row.redrives,
      ...(row.redriven_at === null ? {} : { redriveDate: new Date(row.redriven_at) }),
    };
  },
});
