/** A backup by its record. */
export interface BackupRow {
  readonly id: string;
  readonly status: string;
  /** Under whose id its rows are. */
  readonly archive_id: string;
  readonly objects_state: string | null;
}

/** What a key of a tenant's archives is a part of: the rows of an archive, or the Kubernetes objects of one backup. */
const partOf = (key: string): { id: string; part: 'rows' | 'objects' } => {
  const [, , id = '', folder] = key.split('/');
  return { id, part: folder === 'kubernetes' ? 'objects' : 'rows' };
};

/**
 * What does not fit together between the records of a tenant's backups and the keys under `t/<tenant>/`. Rows may be shared by
 * backups that found nothing changed; Kubernetes objects lie under the id of their own backup, and nobody else's.
 */
export const archiveFindings = (
  tenantId: string,
  backups: readonly BackupRow[],
  keys: readonly string[],
): readonly string[] => {
  const sealed = backups.filter(({ status }) => status === 'sealed');
  const rightful = {
    rows: new Set(sealed.map(({ archive_id }) => archive_id)),
    objects: new Set(sealed.map(({ id }) => id)),
  };
  const orphans = keys.map(partOf).filter(({ id, part }) => !rightful[part].has(id));
  const missing = (id: string, name: string): boolean => !keys.includes(`t/${tenantId}/${id}/${name}`);
  return [
    ...backups
      .filter(({ status }) => status === 'open' || status === 'dumped')
      .map(({ id, status }) => `backup ${id} is ${status} for ever`),
    ...new Set(orphans.map(({ id, part }) => `${part} of ${id} belong to no sealed backup`)),
    ...[...rightful.rows].filter((id) => missing(id, 'archive.tar')).map((id) => `sealed backup ${id} has no manifest`),
    ...sealed
      .filter(({ id, objects_state }) => objects_state === 'archived' && missing(id, 'kubernetes/manifest.json'))
      .map(({ id }) => `sealed backup ${id} has no manifest of its Kubernetes objects`),
  ];
};
