import type { Context } from 'hono';
import { HTTPException } from 'hono/http-exception';
import * as z from 'zod';
import type { Gate, Session } from '../app-kit/access.ts';
import type { Route } from '../app-kit/route.ts';
import type { Tenancy } from '../app-kit/tenancy.ts';
import type { TenantSql, TransactionOptions } from '../app-kit/transaction.ts';

export interface ChatParts {
  readonly tenancy: Tenancy;
  readonly gate: Gate;
  /** The demo's door: `/login?email=` lets anybody in, and the page shows public streams to everybody. Never set where strangers come. */
  readonly openLogin: boolean;
  readonly log?: (line: string) => void;
}

export interface ChatEnv {
  Variables: { route: Route; parts: ChatParts; session: Session };
}

export type ChatContext = Context<ChatEnv>;

/** A refusal as the API says it: RFC 9457 problem with a stable code. */
export const refuse = (status: 400 | 401 | 403 | 404 | 409 | 413, code: string, detail: string): HTTPException =>
  new HTTPException(status, {
    message: detail,
    res: Response.json({ status, code, detail }, { status, headers: { 'Content-Type': 'application/problem+json' } }),
  });

/** Work in one transaction of the request's tenant. */
export const inTenant = <Result>(
  context: ChatContext,
  work: (sql: TenantSql) => Promise<Result>,
  options?: TransactionOptions,
): Promise<Result> => context.var.parts.tenancy.withTenant(context.var.route, work, options);

export const reading: TransactionOptions = { readOnly: true, isolation: 'repeatable read' };

/** A bigint id in a path or a body: text or number, answered as text, since JSON numbers end at 2^53. */
export const idSchema = z
  .union([z.string(), z.number()])
  .transform(String)
  .pipe(z.string().regex(/^[1-9]\d{0,17}$/, 'must be a positive whole number'));

const explain = (error: z.ZodError): string =>
  error.issues.map(({ path, message }) => `${path.join('.') || 'value'}: ${message}`).join('; ');

export const parse = <Schema extends z.ZodType>(schema: Schema, value: unknown): z.output<Schema> => {
  const parsed = schema.safeParse(value);
  if (!parsed.success) throw refuse(400, 'invalid_request', explain(parsed.error));
  return parsed.data;
};

export const body = async <Schema extends z.ZodType>(
  context: ChatContext,
  schema: Schema,
): Promise<z.output<Schema>> => {
  const value: unknown = await context.req.json().catch(() => {
    throw refuse(400, 'invalid_request', 'The body must be JSON.');
  });
  return parse(schema, value);
};

/** `?limit=` (1 to 200, 50 unless told) and `?before=` of a list that goes back in time by id. */
export const page = (context: ChatContext): { limit: number; before: string } =>
  parse(
    z.object({
      limit: z.coerce.number().int().min(1).max(200).default(50),
      before: idSchema.default('999999999999999999'),
    }),
    context.req.query(),
  );

/** One page of rows that were asked for with `limit + 1`, and the `before` of the next page. */
export const paged = <Row extends { id: string }>(
  rows: Row[],
  limit: number,
): { items: Row[]; next: string | null } => {
  const items = rows.slice(0, limit);
  return { items, next: rows.length > limit ? (items.at(-1)?.id ?? null) : null };
};
