import { describe, expect, test } from 'vitest';
import {
  checkObjectsRequest,
  chooseObjects,
  isAboutRows,
  type ObjectsReport,
  objectsDiff,
  withObjects,
} from '../../domain/restore-objects.ts';
import type { KubeObject } from '../../domain/workload/object.ts';

const objects: KubeObject[] = ['Secret db', 'ConfigMap app', 'ConfigMap extra', 'Deployment app', 'Service app'].map(
  (text) => {
    const [kind = '', name = ''] = text.split(' ');
    return { apiVersion: 'v1', kind, metadata: { name } };
  },
);
const chosen = (asked: object) =>
  chooseObjects(objects, { backupId: 'b-1', ...asked }).map(({ kind, metadata }) => `${kind} ${metadata.name}`);

describe('the objects that a restore is about', () => {
  test('are all of the backup, or those of the kinds and names', () => {
    expect(chosen({})).toHaveLength(5);
    expect(chosen({ kinds: ['configmap', 'Service'] })).toEqual(['ConfigMap app', 'ConfigMap extra', 'Service app']);
    expect(chosen({ kinds: ['ConfigMap'], names: ['app'] })).toEqual(['ConfigMap app']);
    expect(chosen({ names: ['app'] })).toEqual(['ConfigMap app', 'Deployment app', 'Service app']);
  });

  test.each([
    [
      { kinds: ['Deploymnt'] },
      /objects\.kinds: backup b-1 .* "Deploymnt" \(did you mean Deployment\?\); it has ConfigMap,/,
    ],
    [{ names: ['ap'] }, /objects\.names: backup b-1 .* "ap" \(did you mean app\?\); it has app, db, extra/],
    [{ kinds: ['Service'], names: ['extra'] }, /objects\.names: .* "extra"; it has app$/],
  ])('are named exactly: %j is refused with what there is', (asked, message) => {
    expect(() => chosen(asked)).toThrow(
      expect.objectContaining({ name: 'InvalidStepInput', message: expect.stringMatching(message) }),
    );
  });

  test.each([
    [{ objects: {} }, false],
    [{ objects: { withRows: true } }, true],
    [{ objects: {}, tables: ['users'] }, true],
    [{ objects: {}, rows: { table: 'users' } }, true],
    [{}, true],
  ])('%j is about rows: %s', (asked, rows) => expect(isAboutRows(asked)).toBe(rows));

  test.each([
    [{ objects: {}, into: 'copy' }, 'into copy with objects'],
    [{ objects: {}, withReferences: true }, 'withReferences with objects alone'],
  ] as const)('%j contradicts itself', (asked, message) => {
    expect(() => checkObjectsRequest(asked)).toThrow(
      expect.objectContaining({ name: 'InvalidStepInput', message: expect.stringContaining(message) }),
    );
    expect(() => checkObjectsRequest({ ...asked, objects: undefined })).not.toThrow();
  });
});

describe('a backup without Kubernetes objects', () => {
  const backup = (id: string, objectsState: 'archived' | 'missing' | null) => ({
    id,
    objectsState,
    objectsReason: objectsState === 'missing' ? 'cluster one was away' : null,
  });
  const all = [backup('b-1', 'archived'), backup('b-2', 'missing'), backup('b-3', null)];
  const refusal = (message: string) =>
    expect.objectContaining({ name: 'RestoreRefused', message: expect.stringContaining(message) });

  test('is passed over when none is named', () => {
    expect(withObjects(all, { tenantId: 'acme' }).map(({ id }) => id)).toEqual(['b-1']);
    expect(withObjects([], { tenantId: 'acme' })).toEqual([]);
  });

  test('is refused by name, with the reason and those that have some', () => {
    expect(() => withObjects(all, { tenantId: 'acme', backupId: 'b-2' })).toThrow(
      refusal('backupId: b-2 has no Kubernetes objects, they are missing: cluster one was away; these have: b-1'),
    );
    expect(() => withObjects(all, { tenantId: 'acme', backupId: 'b-3' })).toThrow(refusal('shared one then'));
    expect(() => withObjects(all.slice(1), { tenantId: 'acme' })).toThrow(
      refusal('none of the 2 sealed backups of acme'),
    );
  });
});

test('differences read as lines, however many there are', () => {
  const report: ObjectsReport = {
    cluster: 'one',
    namespace: 't',
    objects: [
      { object: 'v1 Service t/app', change: 'create', as: 'then', fields: [] },
      {
        object: 'v1 ConfigMap t/app',
        change: 'update',
        as: 'then',
        fields: [{ path: 'data.colour', from: 'red', to: undefined }],
      },
      { object: 'v1 Secret t/db', change: 'same', as: 'today', fields: [] },
    ],
    left: [{ object: 'v1 Secret t/mine', why: 'no values' }],
    restart: true,
  };
  const lines = [
    '+ v1 Service t/app',
    '~ v1 ConfigMap t/app',
    '    data.colour: "red" -> none',
    '~ the pods of the app start anew: what they read changes',
    '! v1 Secret t/mine is not restored: no values',
    '2 of 3 objects differ, 1 is as then',
  ];
  expect(objectsDiff(report)).toEqual(lines);
  expect(objectsDiff(report, 4)).toEqual([lines[0], lines[1], '... 3 more', lines[5]]);
});
