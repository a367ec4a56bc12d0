/** Moves between tiers alone: the route is switched, the rows stay where they are. */
export const migration013 = {
  name: '013-tier-moves',
  sql: `
ALTER TABLE moves DROP CONSTRAINT moves_mode_check, ADD CONSTRAINT moves_mode_check CHECK (mode IN ('live', 'freeze', 'switch'));
`,
} as const;
