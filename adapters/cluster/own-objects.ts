import { planNamed } from '../../domain/plans.ts';
import { chartObjects, chartValues } from '../../domain/workload/chart.ts';
import { configObjects } from '../../domain/workload/config.ts';
import type { KubeObject } from '../../domain/workload/object.ts';
import type { WorkloadSpec } from '../../domain/workload/spec.ts';
import { boundaryObjects, workloadObjects } from '../../domain/workload/workload.ts';
import type { Cluster } from './cluster.ts';
import { type ChartSettings, renderChart } from './helm.ts';

/** `v1.34.1-eks-5a2b7c` -> `v1.34.1`, which is what helm takes. */
const plainVersion = (version: string): string => /^v\d+\.\d+\.\d+/.exec(version)?.[0] ?? version;

/**
 * The whole set of a tenant's own app, but for its route: Tenantry's own objects, or those of a chart inside the same boundary.
 * Throws WorkloadRefused with helm's words, or with what of the chart is not a tenant's.
 */
export const ownAppObjects = async (
  cluster: Cluster,
  spec: WorkloadSpec,
  chart: ChartSettings | undefined,
): Promise<KubeObject[]> => {
  if (!chart) return workloadObjects(spec);
  const { retention } = planNamed(spec.tenant.plan);
  const rendered = await renderChart(chart, {
    namespace: spec.namespace,
    values: chartValues(spec, { retentionDays: retention.daily }),
    kubernetesVersion: plainVersion(await cluster.version()),
  });
  return [...boundaryObjects(spec), ...configObjects(spec), ...chartObjects(spec, rendered)];
};
