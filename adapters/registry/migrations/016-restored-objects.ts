/** Restores of Kubernetes objects, alone or with rows: what was asked, what would change, what was changed, and the way back. */
export const migration016 = {
  name: '016-restored-objects',
  sql: `
ALTER TABLE restores
  -- Kinds and names that are asked for; NULL: rows alone.
  ADD COLUMN objects jsonb,
  ADD COLUMN objects_plan jsonb,
  -- Written before the first object changes, by the first attempt: what it found.
  ADD COLUMN objects_result jsonb,
  -- The backup that has the objects as they were before; restoring those of it takes this restore back.
  ADD COLUMN safety_backup_id text,
  DROP CONSTRAINT restores_status_check,
  ADD CONSTRAINT restores_status_check CHECK (status IN ('planned', 'staged', 'compared', 'awaiting-approval', 'swapped',
    'restored', 'previewed', 'cloned', 'undone', 'discarded', 'failed')),
  DROP CONSTRAINT restores_check1,
  ADD CONSTRAINT restores_report_check CHECK (status NOT IN ('compared', 'awaiting-approval', 'swapped')
    OR report IS NOT NULL OR objects_plan IS NOT NULL),
  ADD CONSTRAINT restores_swapped_check CHECK (status <> 'swapped' OR report IS NOT NULL),
  ADD CONSTRAINT restores_objects_check CHECK ((objects_result IS NULL) = (safety_backup_id IS NULL)),
  ADD CONSTRAINT restores_restored_check CHECK (status <> 'restored' OR objects_result IS NOT NULL);
`,
} as const;
