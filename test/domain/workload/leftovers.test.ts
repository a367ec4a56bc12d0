import { expect, test } from 'vitest';
import { leftovers, removalPatch, without } from '../../../domain/workload/leftovers.ts';
import type { KubeObject } from '../../../domain/workload/object.ts';

const deployment = (spec: object): KubeObject => ({
  apiVersion: 'apps/v1',
  kind: 'Deployment',
  metadata: { name: 'app', namespace: 't-acme', labels: { of: 'somebody' } },
  spec,
});

const pod = (env: object[], more: object = {}) => ({
  template: { spec: { containers: [{ name: 'app', image: 'app:1', env, ...more }] } },
});

test('what somebody put between the items of a list is known by its name, wherever it stands', () => {
  const wanted = deployment(
    pod([
      { name: 'A', value: '1' },
      { name: 'B', value: '2' },
    ]),
  );
  const has = deployment(
    pod([{ name: 'A', value: 'x' }, { name: 'EVIL', value: '1' }, { name: 'B', value: '2' }, { name: 'C' }], {
      command: ['sleep'],
    }),
  );
  const found = leftovers(has, wanted);
  expect(found.map(({ name }) => name).toSorted()).toEqual([
    'spec.template.spec.containers[name=app].command',
    'spec.template.spec.containers[name=app].env[name=C]',
    'spec.template.spec.containers[name=app].env[name=EVIL]',
  ]);
  const clean = deployment(
    pod([
      { name: 'A', value: 'x' },
      { name: 'B', value: '2' },
    ]),
  );
  expect(without(has, found)).toEqual(clean);
  expect(removalPatch(found).slice(1)).toEqual([
    { op: 'remove', path: '/spec/template/spec/containers/0/env/3' },
    { op: 'remove', path: '/spec/template/spec/containers/0/env/1' },
  ]);
});

test('labels, annotations and status are the business of controllers, replicas that of an autoscaler', () => {
  const wanted = { ...deployment(pod([])), metadata: { name: 'app' } };
  const has = { ...deployment({ ...pod([]), replicas: 4 }), status: { replicas: 4 } };
  expect(leftovers(has, wanted)).toEqual([]);
  expect(leftovers(deployment({ ...pod([]), paused: true }), wanted)).toMatchObject([{ name: 'spec.paused' }]);
});

test('two ports of one number are two, and a key with a slash in it is one step', () => {
  const service = (ports: object[]): KubeObject => ({
    apiVersion: 'v1',
    kind: 'Service',
    metadata: { name: 'dns' },
    spec: { ports },
  });
  const udp = { port: 53, protocol: 'UDP' };
  expect(leftovers(service([{ port: 53, protocol: 'TCP' }, udp]), service([udp]))).toMatchObject([
    { path: ['spec', 'ports', 0] },
  ]);
  const map = (data: object): KubeObject => ({ apiVersion: 'v1', kind: 'ConfigMap', metadata: { name: 'm' }, data });
  expect(removalPatch(leftovers(map({ 'a/b~c': '1' }), map({})))).toEqual([{ op: 'remove', path: '/data/a~1b~0c' }]);
});
