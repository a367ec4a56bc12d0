import { expect, test } from 'vitest';
import { chartObjects, chartValues } from '../../../domain/workload/chart.ts';
import type { KubeObject } from '../../../domain/workload/object.ts';
import { aWorkload } from './any-workload.ts';

const spec = aWorkload();
const service: KubeObject = { apiVersion: 'v1', kind: 'Service', metadata: { name: 'app' } };
const object = (kind: string, metadata: object = {}): KubeObject => ({
  apiVersion: 'v1',
  kind,
  metadata: { name: 'x', ...metadata },
});

test("what a chart renders lands in the tenant's namespace with the tenant's labels, its own name kept", () => {
  const [app, worker] = chartObjects(spec, [
    service,
    object('ConfigMap', { labels: { 'app.kubernetes.io/name': 'worker', team: 'x' } }),
  ]);
  expect(app!.metadata).toMatchObject({
    namespace: 't-acme',
    labels: { 'tenantry.dev/tenant': 'acme', 'app.kubernetes.io/name': 'app' },
  });
  expect(worker!.metadata.labels).toMatchObject({ 'app.kubernetes.io/name': 'worker', team: 'x' });
});

test.each([
  ['a hook', object('Job', { annotations: { 'helm.sh/hook': 'pre-install' } }), /a hook/],
  ['an Ingress', object('Ingress'), /Ingress is Tenantry's/],
  ['a quota', object('ResourceQuota'), /ResourceQuota is Tenantry's/],
  [
    "another tenant's namespace",
    object('ConfigMap', { namespace: 't-globex' }),
    /outside the tenant's namespace t-acme/,
  ],
])('a chart with %s is refused', (_, one, reason) => {
  expect(() => chartObjects(spec, [service, one])).toThrow(reason);
});

test('a chart without a Service that the route can lead to is refused', () => {
  expect(() => chartObjects(spec, [object('ConfigMap')])).toThrow(/no Service app/);
});

test.each([
  ['registry:5000/chat', { repository: 'registry:5000/chat', tag: 'latest' }],
  ['registry:5000/chat:2', { repository: 'registry:5000/chat', tag: '2' }],
  ['chat', { repository: 'chat', tag: 'latest' }],
])('image %s is split where its tag begins', (image, expected) => {
  expect(chartValues(aWorkload({ image }), { retentionDays: 7 }).image).toEqual(expected);
});
