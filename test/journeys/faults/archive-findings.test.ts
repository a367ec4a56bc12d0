import { describe, expect, test } from 'vitest';
import { archiveFindings, type BackupRow } from './archive-findings.ts';

const first: BackupRow = { id: 'b-1', status: 'sealed', archive_id: 'b-1', objects_state: 'archived' };
const unchanged: BackupRow = { id: 'b-2', status: 'sealed', archive_id: 'b-1', objects_state: 'archived' };
const rows = 't/acme/b-1/archive.tar';
const objectsOf = (id: string): string[] =>
  ['manifest.json', 'objects.ndjson.gz'].map((name) => `t/acme/${id}/kubernetes/${name}`);
const keys = [rows, ...objectsOf('b-1'), ...objectsOf('b-2')];

describe('the findings on the archives of a tenant', () => {
  test('are none where rows are shared and each backup has its own objects', () => {
    expect(archiveFindings('acme', [first, unchanged], keys)).toEqual([]);
  });

  test.each([
    ['objects of a backup that is deleted', [first, { ...unchanged, status: 'deleted' }], keys],
    ['objects of a backup that has failed', [first, { ...unchanged, status: 'failed' }], keys],
    ['objects of no backup', [first], keys],
  ])('name %s', (_, backups, there) => {
    expect(archiveFindings('acme', backups, there)).toEqual(['objects of b-2 belong to no sealed backup']);
  });

  test('name rows that nobody points to, and objects that are promised and not there', () => {
    const deleted = [first, unchanged].map((backup) => ({ ...backup, status: 'deleted' }));
    expect(archiveFindings('acme', deleted, [rows])).toEqual(['rows of b-1 belong to no sealed backup']);
    expect(archiveFindings('acme', [first, unchanged], [rows, ...objectsOf('b-1')])).toEqual([
      'sealed backup b-2 has no manifest of its Kubernetes objects',
    ]);
    expect(archiveFindings('acme', [unchanged], objectsOf('b-2'))).toEqual(['sealed backup b-1 has no manifest']);
  });

  test('name a backup that never ends', () => {
    expect(archiveFindings('acme', [{ ...first, status: 'dumped', objects_state: 'expected' }], [])).toEqual([
      'backup b-1 is dumped for ever',
    ]);
  });
});
