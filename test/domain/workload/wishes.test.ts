import { describe, expect, test } from 'vitest';
import { stampSet } from '../../../adapters/cluster/apply-set.ts';
import { type KubeObject, labelNames, objectName } from '../../../domain/workload/object.ts';
import { routeObject } from '../../../domain/workload/route.ts';
import type { WorkloadSpec } from '../../../domain/workload/spec.ts';
import { wishesOf, withMarksOf } from '../../../domain/workload/wishes.ts';
import { workloadObjects } from '../../../domain/workload/workload.ts';
import { aWorkload } from './any-workload.ts';

/** Another plan, place, database and hosts than now: what a backup of half a year ago may have. */
const before = aWorkload({
  namespace: 't-acme-old',
  tenant: { id: 'acme', tier: 'cluster', region: 'eu-west-1', plan: 'enterprise' },
  image: 'chat:1',
  resources: { replicas: 3, cpu: '1', memory: '2Gi' },
  database: { host: 'gone.example.com', port: 1, name: 'gone', user: 'gone', password: 'old' },
  route: { hosts: ['acme.example.com', 'sold.example.com'], ingressClass: 'alb' },
  network: { databaseCidrs: ['10.9.0.0/16'], ingress: { cidrs: ['0.0.0.0/0'] } },
  environment: { BY_RELEASE: '1' },
});
const now = aWorkload({
  namespace: 't-acme-new',
  image: 'chat:2',
  resources: { replicas: 1, cpu: '250m', memory: '512Mi' },
});

const setOf = (spec: WorkloadSpec): KubeObject[] => [...stampSet(workloadObjects(spec)).objects, routeObject(spec)];
const byHand = (kind: string, more: object = {}): KubeObject => ({
  apiVersion: kind === 'Ingress' ? 'networking.k8s.io/v1' : 'v1',
  kind,
  metadata: { name: 'by-hand', namespace: before.namespace },
  ...more,
});

const backup = [
  ...setOf(before),
  byHand('ConfigMap', { data: { colour: 'blue' } }),
  byHand('Secret', { keys: ['token'] }),
  byHand('Ingress'),
];
const today = setOf(now);
const { wishes, left } = wishesOf({ backup, today, namespace: now.namespace });
const wish = (kind: string, name = 'app') =>
  wishes.find(({ object }) => object.kind === kind && object.metadata.name === name);
const ours = (kind: string, name = 'app') =>
  today.find((object) => object.kind === kind && object.metadata.name === name)!;

describe('a restore of a backup from another plan, place and database', () => {
  test('goes into the namespace where the tenant is now, with the labels of today', () => {
    expect(new Set(wishes.map(({ object }) => object.metadata.namespace))).toEqual(new Set([now.namespace]));
    for (const { object } of wishes.filter(({ object: one }) => one.metadata.name !== 'by-hand'))
      expect(object.metadata.labels).toMatchObject(ours(object.kind, object.metadata.name).metadata.labels!);
    expect(JSON.stringify(wishes)).not.toContain('enterprise');
  });

  test.each([
    ['Secret', 'db'],
    ['NetworkPolicy', 'allow-database'],
    ['ResourceQuota', 'app'],
    ['LimitRange', 'app'],
    ['ServiceAccount', 'app'],
    ['Ingress', 'app'],
  ])('has the %s %s that plan, place and login make today', (kind, name) => {
    expect(wish(kind, name)).toEqual({ object: ours(kind, name), as: 'today' });
  });

  test('has the image of then in the size of today, and pods that are not told the place of then', () => {
    const { object, as } = wish('Deployment')!;
    expect(as).toBe('then');
    const spec = object.spec as { replicas: number; template: { spec: { containers: object[] } } };
    expect(spec.replicas).toBe(1);
    const each = { cpu: '250m', memory: '512Mi' };
    expect(spec.template.spec.containers).toMatchObject([
      { image: 'chat:1', resources: { requests: each, limits: each } },
    ]);
  });

  test('keeps the settings of then, but knows tenant, hosts and database of today', () => {
    expect(wish('ConfigMap')!.object.data).toEqual({ BY_RELEASE: '1', ...(ours('ConfigMap').data as object) });
    expect(wish('ConfigMap', 'by-hand')).toMatchObject({ as: 'then', object: { data: { colour: 'blue' } } });
  });

  test('leaves out what it cannot or must not bring back, and says why', () => {
    const why = (name: string) => left.find(({ object }) => object === name)?.why;
    expect(why(`v1 Namespace ${before.namespace}`)).toContain('books');
    expect(why(`v1 Secret ${now.namespace}/by-hand`)).toContain('no values of secrets');
    expect(why(`networking.k8s.io/v1 Ingress ${now.namespace}/by-hand`)).toContain('which hosts');
    // The plan of today has one pod, so neither a budget nor an autoscaler.
    for (const kind of ['policy/v1 PodDisruptionBudget', 'autoscaling/v2 HorizontalPodAutoscaler'])
      expect(why(`${kind} ${now.namespace}/app`)).toContain('none now');
    expect(wishes.length + left.length).toBe(backup.length);
    expect(left.map(({ object }) => object)).not.toContain(objectName(ours('Service')));
  });
});

test('restoring a workload restarts no pod by the marks of then', () => {
  const { object } = wish('Deployment')!;
  const marks = (one: KubeObject) =>
    (one.spec as { template: { metadata: { annotations: Record<string, string> } } }).template.metadata.annotations;
  const live = structuredClone(object);
  Object.assign(marks(live), { 'tenantry.dev/config': 'live', 'tenantry.dev/restored': 'r-1', other: 'x' });
  expect(marks(withMarksOf(object, live))).toEqual({ 'tenantry.dev/config': 'live', 'tenantry.dev/restored': 'r-1' });
  expect(withMarksOf(object, undefined)).toBe(object);
  expect(marks(object)['tenantry.dev/config']).toBe(marks(ours('Deployment'))['tenantry.dev/config']);
});

test('what somebody labelled as Tenantry does, without its set, is his own', () => {
  const labels = { [labelNames.managedBy]: 'tenantry' };
  const mine = { ...byHand('ConfigMap'), metadata: { ...byHand('ConfigMap').metadata, labels } };
  expect(wishesOf({ backup: [mine], today, namespace: now.namespace }).left).toEqual([]);
});
