import fc from 'fast-check';
import { expect, test } from 'vitest';
import { fieldChanges } from '../../../domain/workload/changes.ts';
import { isWish, leaveToScalers, strip } from '../../../domain/workload/exported.ts';
import { routeObject } from '../../../domain/workload/route.ts';
import { workloadObjects } from '../../../domain/workload/workload.ts';
import { anyWorkload } from './any-workload.ts';

const seed = Number(process.env.EXPORTED_SEED ?? Date.now() % 1_000_000);
console.log(`export properties: EXPORTED_SEED=${seed}`);

test('what Tenantry applies for any tenant is backed up as it is, but for the values of secrets', () => {
  fc.assert(
    fc.property(anyWorkload, (spec) => {
      for (const object of leaveToScalers([...workloadObjects(spec), routeObject(spec)])) {
        expect(isWish(object)).toBe(true);
        if (object.kind === 'Secret') {
          expect(strip(object)).not.toHaveProperty('data');
          continue;
        }
        if (object.kind !== 'Namespace') expect(fieldChanges(object, strip(object))).toEqual([]);
        expect(strip(strip(object))).toEqual(strip(object));
      }
    }),
    { seed },
  );
});

const job = (status: object) => ({
  apiVersion: 'batch/v1',
  kind: 'Job',
  metadata: { name: 'migrate', namespace: 't-acme' },
  spec: {
    selector: { matchLabels: { 'batch.kubernetes.io/controller-uid': '1' } },
    template: {
      metadata: { labels: { 'controller-uid': '1', 'batch.kubernetes.io/job-name': 'migrate', app: 'x' } },
      spec: { containers: [] },
    },
  },
  status,
});

test('a job that has ended is not run again by a restore, one that has not gets new labels', () => {
  for (const type of ['Complete', 'Failed'])
    expect(isWish(job({ conditions: [{ type, status: 'True' }] }))).toBe(false);
  expect(isWish(job({ conditions: [{ type: 'Complete', status: 'False' }] }))).toBe(true);
  expect(strip(job({}))).toEqual({
    apiVersion: 'batch/v1',
    kind: 'Job',
    metadata: { name: 'migrate', namespace: 't-acme' },
    spec: { template: { metadata: { labels: { app: 'x' } }, spec: { containers: [] } } },
  });
});

test('volumes are claimed anew, and notes of the API and of kubectl stay behind', () => {
  const claim = {
    apiVersion: 'v1',
    kind: 'PersistentVolumeClaim',
    metadata: {
      name: 'files',
      namespace: 't-acme',
      annotations: {
        'pv.kubernetes.io/bind-completed': 'yes',
        note: 'kept',
        'kubectl.kubernetes.io/last-applied-configuration': '{}',
      },
      finalizers: ['kubernetes.io/pvc-protection'],
    },
    spec: { volumeName: 'pvc-1', resources: { requests: { storage: '1Gi' } } },
  };
  expect(strip(claim)).toEqual({
    ...claim,
    metadata: { name: 'files', namespace: 't-acme', annotations: { note: 'kept' } },
    spec: { resources: { requests: { storage: '1Gi' } } },
  });
});

test('changes name the outermost field that says it all', () => {
  const from = { a: 1, b: { c: [1, { d: 2 }], e: 3 }, gone: { x: 1 } };
  const to = { a: 1, b: { c: [1, { d: 4 }, 5], e: '3' } };
  expect(fieldChanges(from, to)).toEqual([
    { path: 'b.c[1].d', from: 2, to: 4 },
    { path: 'b.c[2]', from: undefined, to: 5 },
    { path: 'b.e', from: 3, to: '3' },
    { path: 'gone', from: { x: 1 }, to: undefined },
  ]);
  fc.assert(
    fc.property(fc.jsonValue(), (value) => {
      expect(fieldChanges(value, structuredClone(value))).toEqual([]);
    }),
    { seed },
  );
});
