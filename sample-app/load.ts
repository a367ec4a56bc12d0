import type { ClientBase } from 'pg';

/** Every table that holds a team's rows, parents first. */
export const chatTables = [
  'realms',
  'users',
  'streams',
  'subscriptions',
  'messages',
  'reactions',
  'attachments',
  'audit_trail',
  'activity',
] as const;

export interface ChatLoad {
  readonly tenantId: string;
  readonly users: number;
  readonly messages: number;
  /** The same seed gives the same rows but for ids, which come from the pool's sequences. */
  readonly seed: number;
}

export interface LoadedChat {
  /** Rows written, by table; the lines that the audit trigger wrote are counted too. */
  readonly tables: Readonly<Record<string, number>>;
  readonly rows: number;
}

const streamNames = ['general', 'engineering', 'design', 'support', 'sales', 'random'];

/** Load is spread over the 400 days before this moment, so that two partitions of `activity` get rows; a third gets plans for later. */
const newest = '2026-11-20T12:00:00Z';

const firstNames =
  'Ada Bea Carl Dana Emil Fatima Greta Hugo Ines Jonas Kira Liam Mina Noah Olga Pablo Quinn Rosa Sven Tara'.split(' ');
const lastNames =
  'Abel Brandt Costa Duran Egger Fischer Garcia Holm Ito Jansen Kowal Lang Meyer Novak Olsen Petrov Rossi Silva Tanaka Weber'.split(
    ' ',
  );
const words =
  'the release is green again and we can ship it today who reviews this change please look at the dashboard latency went up after lunch customer asked for an invoice copy thanks I will fix that tomorrow naïve café test passed 早上好 🎉 %s \\backslash\\ "quoted"'.split(
    ' ',
  );

/** A whole number from 0 to `below` - 1 that depends on `what`, the row's number and the seed alone. */
const pick = (what: string, below: string, row = 'i'): string =>
  `(abs(hashtextextended('${what}' || ${row}::text, $1::bigint) % (${below})))::int`;

/** Messages in one statement. A reply refers to a message of an earlier batch. */
const batchSize = 5_000;

/**
 * Writes a tenant's chat in one transaction, as whatever role `client` is logged in with (row-level security applies): users, streams,
 * followers, messages with replies, reactions, attachments, activity in every partition. About 20,000 rows a second on a laptop.
 * The realm must exist (`tenant_created`). Calling it again adds to what is there.
 */
export const loadChat = async (client: Pick<ClientBase, 'query'>, load: ChatLoad): Promise<LoadedChat> => {
  const tables: Record<string, number> = {};
  const { tenantId, seed } = load;
  const write = async (table: string, text: string, values: readonly unknown[]): Promise<string[]> => {
    const { rows, rowCount } = await client.query<{ id: string }>(text, [seed, tenantId, ...values]);
    tables[table] = (tables[table] ?? 0) + (rowCount ?? 0);
    return rows.map(({ id }) => id);
  };
  const ids = async (table: 'users' | 'streams'): Promise<string[]> =>
    (
      await client.query<{ id: string }>(`SELECT id FROM ${table} WHERE tenant_id = $1 ORDER BY id`, [tenantId])
    ).rows.map(({ id }) => id);

  const people = async (): Promise<string[]> => {
    await write(
      'users',
      `INSERT INTO users (tenant_id, email, full_name, active, joined_at)
       SELECT $2, lower(first) || '.' || lower(last) || '.' || i || '.' || $1 || '@' || $2 || '.example', first || ' ' || last, ${pick('active', '20')} > 0,
         timestamptz '${newest}' - make_interval(days => 400 + ${pick('joined', '300')})
       FROM generate_series(1, $3) i, LATERAL (SELECT ($4::text[])[1 + ${pick('first', '20')}] AS first, ($5::text[])[1 + ${pick('last', '20')}] AS last) name
       ORDER BY i ON CONFLICT (tenant_id, email) DO NOTHING`,
      [load.users, firstNames, lastNames],
    );
    return ids('users');
  };

  const places = async (users: string[]): Promise<string[]> => {
    await write(
      'streams',
      `INSERT INTO streams (tenant_id, name, visibility, created_by)
       SELECT $2, name, CASE WHEN name = 'sales' THEN 'private' ELSE 'public' END::stream_visibility, ($4::bigint[])[1]
       FROM unnest($3::text[]) WITH ORDINALITY AS wanted (name, i) WHERE $1::bigint IS NOT NULL ORDER BY i ON CONFLICT (tenant_id, name) DO NOTHING`,
      [streamNames, users],
    );
    const streams = await ids('streams');
    await write(
      'subscriptions',
      `INSERT INTO subscriptions (tenant_id, stream_id, user_id, muted)
       SELECT $2, s, u, ${pick('muted', '10', '(a * 100000 + b)')} = 0
       FROM unnest($3::bigint[]) WITH ORDINALITY AS stream (s, a), unnest($4::bigint[]) WITH ORDINALITY AS person (u, b)
       WHERE a = 1 OR ${pick('follows', '3', '(a * 100000 + b)')} = 0 ON CONFLICT DO NOTHING`,
      [streams, users],
    );
    return streams;
  };

  const talk = async (users: string[], streams: string[]): Promise<string[]> => {
    const sent: string[] = [];
    for (let from = 1; from <= load.messages; ) {
      const to = Math.min(load.messages, from === 1 ? 50 : from + batchSize - 1);
      const made = await write(
        'messages',
        `INSERT INTO messages (tenant_id, stream_id, sender_id, reply_to, body, sent_at)
         SELECT $2, ($5::bigint[])[1 + (${pick('stream', 'cardinality($5::bigint[])')} * ${pick('skew', '4')}) / 4],
           ($6::bigint[])[1 + ${pick('sender', 'cardinality($6::bigint[])')}],
           CASE WHEN ${pick('reply', '5')} = 0 AND cardinality($7::bigint[]) > 0 THEN ($7::bigint[])[1 + ${pick('to', 'greatest(cardinality($7::bigint[]), 1)')}] END,
           (SELECT string_agg(($8::text[])[1 + ${pick('word', 'cardinality($8::text[])', "(i || '.' || w)")}], CASE WHEN w % 17 = 0 THEN E'\\n' ELSE ' ' END ORDER BY w)
              FROM generate_series(1, 3 + ${pick('length', '30')}) w),
           timestamptz '${newest}' - make_interval(secs => ($9::int - i) * 34560000.0 / $9::int)
         FROM generate_series($3::int, $4::int) i ORDER BY i RETURNING id`,
        [from, to, streams, users, sent.slice(-1000), words, load.messages],
      );
      sent.push(...made);
      from = to + 1;
    }
    return sent;
  };

  const react = async (users: string[], sent: string[]): Promise<void> => {
    await write(
      'reactions',
      `INSERT INTO reactions (tenant_id, message_id, user_id, emoji, reacted_at)
       SELECT $2, m, ($4::bigint[])[1 + ${pick('who', 'cardinality($4::bigint[])', "(i || '.' || n)")}],
         (SELECT array_agg(code ORDER BY code) FROM emoji_catalogue)[1 + ${pick('emoji', '5', "(i || '.' || n)")}], timestamptz '${newest}'
       FROM unnest($3::bigint[]) WITH ORDINALITY AS message (m, i), generate_series(1, ${pick('reactions', '7')} - 3) n
       ON CONFLICT DO NOTHING`,
      [sent, users],
    );
    await write(
      'attachments',
      `INSERT INTO attachments (tenant_id, id, message_id, file_name, content)
       SELECT $2, md5('file' || $1 || '.' || $2 || '.' || m)::uuid, m, 'notes-' || i || '.bin',
         decode(repeat(md5($1::text || i), 8 + ${pick('size', '120')}), 'hex')
       FROM unnest($3::bigint[]) WITH ORDINALITY AS message (m, i) WHERE ${pick('file', '25')} = 0 OR i = 1`,
      [sent],
    );
  };

  const remember = async (): Promise<void> => {
    await write(
      'activity',
      `INSERT INTO activity (tenant_id, kind, subject, happened_on)
       SELECT $2, (ARRAY['message.posted', 'file.shared', 'user.joined', 'reminder.planned'])[1 + ${pick('kind', '4')}], 'stream:' || ($4::text[])[1 + ${pick('stream', '6')}],
         (timestamptz '${newest}' - make_interval(days => 400) + make_interval(days => ${pick('day', '560')}))::date
       FROM generate_series(1, $3::int) i ORDER BY i`,
      [Math.max(12, Math.ceil(load.messages / 4)), streamNames],
    );
  };

  await client.query('BEGIN');
  try {
    await client.query("SELECT set_config('app.tenant_id', $1, true)", [tenantId]);
    const users = await people();
    const sent = await talk(users, await places(users));
    await react(users, sent);
    await remember();
    tables.audit_trail = sent.length;
    await client.query('COMMIT');
  } catch (error) {
    await client.query('ROLLBACK').catch(() => undefined);
    throw error;
  }
  return { tables, rows: Object.values(tables).reduce((sum, count) => sum + count, 0) };
};
