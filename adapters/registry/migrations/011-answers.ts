/** The token that was answered last: its delivery, repeated after the answer, asks nobody again and fails nothing. */
export const migration011 = {
  name: '011-answers',
  sql: `
ALTER TABLE operations ADD COLUMN answered_token text;
`,
} as const;
