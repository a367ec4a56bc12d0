/** Which attempt asks for approval: the token of a late one, which the machine no longer waits for, must not replace it. */
export const migration005 = {
  name: '005-approvals',
  sql: `
ALTER TABLE operations ADD COLUMN approval_attempt integer;
`,
} as const;
