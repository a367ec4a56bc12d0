import type { ClientBase } from 'pg';

/** An empty path makes format_type() and pg_get_*def() qualify the app's names; the others fix how bounds are printed. */
const plain = { search_path: '', TimeZone: 'UTC', DateStyle: 'ISO, MDY' } as const;
const names = Object.keys(plain);

const setAll = `SELECT set_config(name, value, false) FROM unnest($1::text[], $2::text[]) AS s (name, value)`;

/**
 * Runs `work` with settings under which the catalog prints the same text for every login, and puts the session's own
 * settings back.
 */
export const withPlainNames = async <Result>(client: ClientBase, work: () => Promise<Result>): Promise<Result> => {
  const { rows } = await client.query<{ before: string }>(
    'SELECT current_setting(name) AS before FROM unnest($1::text[]) WITH ORDINALITY AS s (name, place) ORDER BY place',
    [names],
  );
  await client.query(setAll, [names, Object.values(plain)]);
  try {
    return await work();
  } finally {
    // After an error the transaction is aborted and rolls the settings back itself.
    await client.query(setAll, [names, rows.map((row) => row.before)]).catch(() => undefined);
  }
};
