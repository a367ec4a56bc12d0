import { workloadObjects } from '../domain/workload/workload.ts';
import { startTestClusters } from '../test/adapters/cluster/control-plane.ts';
import { aWorkload } from '../test/domain/workload/any-workload.ts';
import type { BenchRow } from './row.ts';

const tenants = 100;
const goal = 40;

const named = Array.from({ length: tenants }, (_, index) => `tenant-${index}`);

const perSecond = async (apply: (tenantId: string) => Promise<unknown>): Promise<number> => {
  const start = performance.now();
  await Promise.all(named.map(apply));
  return (tenants * 1_000) / (performance.now() - start);
};

/**
 * The object sets of 100 tenants, applied at once to one cluster of the laptop whose controllers run beside (the pods' image is
 * unknown, so none starts), first anew and then as they are. The yardstick is one object a tenant.
 */
export const benchApplies = async (): Promise<BenchRow[]> => {
  const clusters = await startTestClusters();
  try {
    const cluster = clusters.cluster('bench');
    await clusters.control('bench');
    const namespace = (tenantId: string) => ({
      apiVersion: 'v1',
      kind: 'Namespace',
      metadata: { name: `one-${tenantId}` },
    });
    const single = await perSecond((tenantId) => cluster.apply([namespace(tenantId)]));
    const whole = (tenantId: string) => cluster.applySet(workloadObjects(aWorkload({}, tenantId)));
    const first = await perSecond(whole);
    const again = await perSecond(whole);
    const yardstick = { name: 'apply.objects_per_s', value: single, unit: '1/s' };
    const unit = 'tenants/s';
    return [
      { name: 'apply.tenants_per_s', value: first, unit, yardstick, goal: `>= ${goal}`, met: first >= goal },
      { name: 'apply.repeats_per_s', value: again, unit, yardstick },
    ];
  } finally {
    await clusters.stop();
  }
};
