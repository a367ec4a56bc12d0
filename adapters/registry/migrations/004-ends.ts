/** Ends that come from outside: which were announced for the machine, and what a tenant was before its last change. */
export const migration004 = {
  name: '004-ends',
  sql: `
ALTER TABLE operations ADD COLUMN announced_at timestamptz;
ALTER TABLE tenants ADD COLUMN previous_status text;
`,
} as const;
