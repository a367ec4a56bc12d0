import { queryScope } from '../context.ts';
import type { MapState } from '../definition.ts';
import type { Frame } from '../frame.ts';
import { numberIn } from '../states/number.ts';

export interface Tolerance {
  readonly count: number;
  readonly percentage: number;
}

/** Promise: both thresholds; 0 where the state gives none (DescribeMapRun shows the same). */
export const toleranceOf = async (frame: Frame, state: MapState): Promise<Tolerance> => {
  const scope = queryScope(frame);
  const count = await numberIn(state.ToleratedFailureCount, scope, 'ToleratedFailureCount');
  const percentage = await numberIn(state.ToleratedFailurePercentage, scope, 'ToleratedFailurePercentage', {
    most: 100,
    whole: false,
  });
  return { count: count ?? 0, percentage: percentage ?? 0 };
};

/**
 * Whether `failed` of `total` items are too many. Of two thresholds that are given the one reached first decides; one that is
 * not given (0) decides only where the other is not given either (developer guide, "Setting failure thresholds").
 */
export const exceeds = ({ count, percentage }: Tolerance, failed: number, total: number): boolean => {
  if (failed === 0) return false;
  const overCount = failed > count;
  const overPercentage = (failed * 100) / total > percentage;
  if (count > 0 && percentage > 0) return overCount || overPercentage;
  return count > 0 ? overCount : overPercentage;
};
