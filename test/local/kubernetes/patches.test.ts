import { expect, test } from 'vitest';
import { applyJsonPatch } from '../../../local/kubernetes/patches/json-patch.ts';
import { applyMergePatch } from '../../../local/kubernetes/patches/merge-patch.ts';
import { applyStrategicMergePatch } from '../../../local/kubernetes/patches/strategic-merge-patch.ts';

test('a JSON patch adds, replaces, removes, moves, copies and tests', () => {
  const patch = (document: unknown, ...operations: object[]) => applyJsonPatch(structuredClone(document), operations);
  const document = { a: { 'x/y': 1, list: [1, 2, 3] } };
  expect(patch(document, { op: 'replace', path: '/a/x~1y', value: 2 })).toEqual({ a: { 'x/y': 2, list: [1, 2, 3] } });
  expect(
    patch(document, { op: 'add', path: '/a/list/1', value: 9 }, { op: 'add', path: '/a/list/-', value: 8 }),
  ).toEqual({
    a: { 'x/y': 1, list: [1, 9, 2, 3, 8] },
  });
  expect(patch(document, { op: 'remove', path: '/a/list/0' })).toEqual({ a: { 'x/y': 1, list: [2, 3] } });
  expect(patch(document, { op: 'move', from: '/a/list', path: '/b' })).toEqual({ a: { 'x/y': 1 }, b: [1, 2, 3] });
  expect(patch(document, { op: 'copy', from: '/a/list/0', path: '/b' })).toMatchObject({ b: 1 });
  expect(patch(document, { op: 'test', path: '/a/list', value: [1, 2, 3] })).toEqual(document);
});

test.each([
  [{ op: 'test', path: '/a', value: 2 }, 'testing value /a failed'],
  [{ op: 'remove', path: '/b' }, 'doc is missing path'],
  [{ op: 'replace', path: '/b', value: 1 }, 'doc is missing path'],
  [{ op: 'add', path: '/b/c', value: 1 }, 'doc is missing path'],
  [{ op: 'frobnicate', path: '/a' }, 'unknown operation'],
  [{ op: 'add', path: 'a', value: 1 }, 'no JSON pointer'],
])('a JSON patch that does not fit is refused: %j', (operation, message) => {
  expect(() => applyJsonPatch({ a: 1 }, [operation])).toThrow(message);
});

test('a merge patch sets, removes with null, and replaces lists whole', () => {
  const target = { a: { b: 1, c: 2 }, list: [1, 2] };
  expect(applyMergePatch(target, { a: { b: null, d: 3 }, list: [3] })).toEqual({ a: { c: 2, d: 3 }, list: [3] });
  expect(target).toEqual({ a: { b: 1, c: 2 }, list: [1, 2] });
});

const containers = (...items: object[]) => ({ spec: { template: { spec: { containers: items } } } });

test('a strategic merge patch merges containers, variables and ports by their keys', () => {
  const target = containers(
    { name: 'app', image: 'a:1', env: [{ name: 'A', value: '1' }], ports: [{ containerPort: 80, protocol: 'TCP' }] },
    { name: 'side', image: 's:1' },
  );
  const patch = containers(
    { name: 'app', env: [{ name: 'B', value: '2' }], ports: [{ containerPort: 80, name: 'http' }] },
    { name: 'side', $patch: 'delete' },
    { name: 'new', image: 'n:1' },
  );
  expect(applyStrategicMergePatch(target, patch, 'Deployment')).toEqual(
    containers(
      {
        name: 'app',
        image: 'a:1',
        env: [
          { name: 'A', value: '1' },
          { name: 'B', value: '2' },
        ],
        ports: [{ containerPort: 80, protocol: 'TCP', name: 'http' }],
      },
      { name: 'new', image: 'n:1' },
    ),
  );
  expect(target.spec.template.spec.containers).toHaveLength(2);
});

test('directives order, replace, retain and delete', () => {
  const target = {
    metadata: { finalizers: ['a', 'b'] },
    spec: { strategy: { type: 'RollingUpdate', rollingUpdate: {} }, tolerations: [{ key: 'x' }] },
  };
  expect(
    applyStrategicMergePatch(
      target,
      {
        metadata: {
          '$deleteFromPrimitiveList/finalizers': ['a'],
          finalizers: ['c'],
          '$setElementOrder/finalizers': ['c', 'b'],
        },
        spec: { strategy: { $retainKeys: ['type'], type: 'Recreate' }, tolerations: [{ key: 'y' }] },
      },
      'Deployment',
    ),
  ).toEqual({
    metadata: { finalizers: ['c', 'b'] },
    spec: { strategy: { type: 'Recreate' }, tolerations: [{ key: 'y' }] },
  });
  expect(applyStrategicMergePatch({ a: { b: 1 } }, { a: { $patch: 'replace', c: 2 } }, 'ConfigMap')).toEqual({
    a: { c: 2 },
  });
  expect(applyStrategicMergePatch({ a: { b: 1 }, d: 1 }, { a: { $patch: 'delete' } }, 'ConfigMap')).toEqual({ d: 1 });
});

test('the order of a list follows $setElementOrder', () => {
  const target = containers({ name: 'a' }, { name: 'b' });
  const patch = {
    spec: {
      template: {
        spec: {
          '$setElementOrder/containers': [{ name: 'b' }, { name: 'a' }],
          containers: [{ name: 'b', image: 'x' }],
        },
      },
    },
  };
  expect(applyStrategicMergePatch(target, patch, 'Deployment')).toEqual(
    containers({ name: 'b', image: 'x' }, { name: 'a' }),
  );
});
