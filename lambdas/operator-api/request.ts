import type { Context } from 'hono';
import * as z from 'zod';
import type { World } from '../../adapters/world.ts';
import { Problem, problemOf } from './problem.ts';

interface Authorizer {
  readonly jwt?: { readonly claims?: Readonly<Record<string, unknown>> };
  readonly lambda?: Readonly<Record<string, unknown>>;
  readonly iam?: { readonly userArn?: string };
}

export interface ApiEnv {
  Bindings: { event?: { requestContext?: { authorizer?: Authorizer; requestId?: string } } };
  Variables: { world: World };
}

export type ApiContext = Context<ApiEnv>;

const text = (value: unknown): string | undefined => (typeof value === 'string' && value !== '' ? value : undefined);

/** Who calls: what the gateway's authorizer vouches for, else (no authorizer, as on the laptop) what the client says. */
export const actorOf = (context: ApiContext): string => {
  const authorizer = context.env?.event?.requestContext?.authorizer;
  if (authorizer) {
    const claims = authorizer.jwt?.claims;
    const actor =
      text(claims?.email) ?? text(claims?.sub) ?? text(authorizer.lambda?.actor) ?? text(authorizer.iam?.userArn);
    if (actor !== undefined) return actor;
  }
  return text(context.req.header('x-tenantry-actor'))?.slice(0, 200) ?? 'anonymous';
};

/** The JSON body through its schema; an absent body counts as `{}`. Throws Problem or ZodError (400). */
export const bodyOf = async <Schema extends z.ZodType>(
  context: ApiContext,
  schema: Schema,
): Promise<z.output<Schema>> => {
  const body = await context.req.text();
  let json: unknown;
  try {
    json = body.trim() === '' ? {} : JSON.parse(body);
  } catch (error) {
    throw new Problem(400, 'invalid-request', `the body is not JSON: ${(error as Error).message}`);
  }
  return schema.parse(json, { reportInput: true });
};

export const queryOf = <Schema extends z.ZodType>(context: ApiContext, schema: Schema): z.output<Schema> =>
  schema.parse(context.req.query(), { reportInput: true });

/** Page size as clients give it: 1 to 500. */
export const limit = z.coerce.number().int().min(1).max(500).default(100);

/** One page: `next` is the cursor to pass on, absent on the last page. */
export const page = <Item>(items: Item[], size: number, cursor: (item: Item) => string | number) => {
  const last = items.length === size ? items.at(-1) : undefined;
  return last === undefined ? { items } : { items, next: String(cursor(last)) };
};

export interface Change {
  readonly action: string;
  readonly tenantId?: string | undefined;
  readonly operation?: string | undefined;
  readonly reason?: string | undefined;
  readonly detail?: object | undefined;
}

/**
 * Does a change between two audit rows: `before`, without which nothing is tried, and `after` with what came of it.
 * An `after` that cannot be written fails the call although the change is done: a repeat is safe, silence is not.
 */
export const audited = async <Result extends object>(
  context: ApiContext,
  change: Change,
  work: (actor: string) => Promise<Result>,
): Promise<Result> => {
  const { audit } = context.get('world').registry;
  const actor = actorOf(context);
  await audit.append({ ...change, actor, phase: 'before' });
  try {
    const result = await work(actor);
    await audit.append({
      ...change,
      actor,
      phase: 'after',
      outcome: 'accepted',
      operation: 'operation' in result && typeof result.operation === 'string' ? result.operation : change.operation,
    });
    return result;
  } catch (error) {
    const problem = problemOf(error);
    await audit.append({
      ...change,
      actor,
      phase: 'after',
      outcome: problem.status < 500 ? 'refused' : 'failed',
      detail: { ...change.detail, problem: problem.code, message: problem.message },
    });
    throw error;
  }
};

/** 202 with the operation to follow. */
export const accepted = (context: ApiContext, operation: string, more: object = {}): Response =>
  context.json({ operation, ...more }, 202, { location: `/api/v1/operations/${encodeURIComponent(operation)}` });
