import type { ClientBase } from 'pg';
import { ident } from '../postgres/identifier.ts';
import { sqlState } from '../postgres/sql.ts';

/** A column of a staging table that was loaded as one type and must become another. Types are as the server prints them. */
export interface Conversion {
  readonly staged: string;
  readonly column: string;
  readonly from: string;
  readonly to: string;
}

type Outcome<Result> = { readonly result: Result } | { readonly refusal: string; readonly state: string };

/** What the values themselves or the pair of types can cause: bad text, a broken domain, no such cast, no such operator. */
const isRefusal = (state: string | undefined): state is string =>
  state !== undefined && (/^(22|23)/.test(state) || state === '42846' || state === '42883');

/** Runs `work` behind a savepoint: what PostgreSQL refuses is an answer here and must not end the transaction. */
const attempt = async <Result>(client: ClientBase, work: () => Promise<Result>): Promise<Outcome<Result>> => {
  await client.query('SAVEPOINT conversion');
  try {
    const result = await work();
    await client.query('RELEASE SAVEPOINT conversion');
    return { result };
  } catch (error) {
    const state = sqlState(error);
    if (!isRefusal(state)) throw error;
    await client.query('ROLLBACK TO SAVEPOINT conversion');
    return { refusal: error instanceof Error ? error.message : String(error), state };
  }
};

const isText = async (client: ClientBase, type: string): Promise<boolean> => {
  const { rows } = await client.query<{ text: boolean }>(
    `SELECT typcategory = 'S' AS text FROM pg_type WHERE oid = to_regtype($1)`,
    [type],
  );
  return rows[0]?.text ?? false;
};

interface Route {
  /** SQL of the new value. */
  readonly using: string;
  /** Condition on rows whose value is another one afterwards; null where the text of then defines the value of now. */
  readonly changed: string | null;
}

/**
 * Ways from one type to the other, each with ways back by which a lost digit is found: 1.55 as numeric(10,1) is no longer what
 * it was. Text comes first, because it is what an archive holds; a cast knows true as 1.
 */
const routesOf = (
  { column, from, to }: Conversion,
  texts: { readonly from: boolean; readonly to: boolean },
): readonly Route[] => {
  const value = ident(column);
  return [`${value}::text::${to}`, `${value}::${to}`].flatMap((using): Route[] => {
    if (texts.to) return [{ using, changed: `(${using})::text IS DISTINCT FROM ${value}::text` }];
    if (texts.from) return [{ using, changed: null }];
    return [`(${using})::text::${from}`, `(${using})::${from}`].map((back) => ({
      using,
      changed: `${back} IS DISTINCT FROM ${value}`,
    }));
  });
};

interface Changed {
  readonly sample: string | null;
  readonly rows: string;
}

const findChanged = async (
  client: ClientBase,
  { staged, column }: Conversion,
  { changed }: Route,
): Promise<Outcome<Changed[]>> => {
  if (changed === null) return { result: [] };
  const found = await attempt(client, async () => {
    const { rows } = await client.query<Changed>(
      `SELECT left(${ident(column)}::text, 60) AS sample, count(*) OVER () AS rows FROM ${staged} WHERE ${changed} LIMIT 3`,
    );
    return rows;
  });
  // json, xml and point have no equality: nothing can be said, and nothing is narrower than they are.
  return 'refusal' in found && found.state === '42883' ? { result: [] } : found;
};

/**
 * Gives a staged column its type of today where every value stays what it is. Answers why not, as a phrase; undefined when it
 * is done. Inside a transaction, which goes on either way.
 */
export const convertColumn = async (client: ClientBase, conversion: Conversion): Promise<string | undefined> => {
  const { staged, column, from, to } = conversion;
  const texts = { from: await isText(client, from), to: await isText(client, to) };
  const reasons: string[] = [];
  for (const route of routesOf(conversion, texts)) {
    const changed = await findChanged(client, conversion, route);
    if ('refusal' in changed) {
      reasons.push(changed.refusal);
      continue;
    }
    const [first] = changed.result;
    if (first) {
      const samples = changed.result.map(({ sample }) => sample ?? 'null').join(', ');
      return `${first.rows} values of ${column} would not be the same as ${to} (${samples})`;
    }
    const done = await attempt(client, () =>
      client.query(`ALTER TABLE ${staged} ALTER COLUMN ${ident(column)} TYPE ${to} USING ${route.using}`),
    );
    if ('result' in done) return undefined;
    reasons.push(done.refusal);
  }
  return `${column} is no ${to}: ${reasons[0]}`;
};
