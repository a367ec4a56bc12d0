import { Hono } from 'hono';
import { HTTPException } from 'hono/http-exception';
import { sqlState, TenancyFailure } from '../app-kit/failure.ts';
import { failureHeaders, failurePage, isTenancyFailure, type Page, unknownHostPage } from '../app-kit/pages.ts';
import { activity } from './api/activity.ts';
import { attachments } from './api/attachments.ts';
import { messages, streamMessages } from './api/messages.ts';
import { people } from './api/people.ts';
import { streams } from './api/streams.ts';
import type { ChatContext, ChatEnv, ChatParts } from './context.ts';
import { refuse } from './context.ts';
import { home } from './home.ts';

const safeMethods: ReadonlySet<string> = new Set(['GET', 'HEAD', 'OPTIONS']);

const answer = (context: ChatContext, page: Page, headers: Record<string, string> = {}): Response => {
  if (!new URL(context.req.url).pathname.startsWith('/api/'))
    return context.body(page.body, page.status, { ...page.headers });
  return context.json(
    { status: page.status, code: page.status === 404 ? 'tenant_not_found' : 'tenant_unavailable' },
    page.status,
    headers,
  );
};

/** What constraints say, in the words of the API. */
const constraintRefusal = (error: unknown): HTTPException | undefined => {
  const code = sqlState(error);
  if (code === '23505') return refuse(409, 'exists_already', 'Something of that name exists already.');
  if (code === '23503')
    return refuse(409, 'still_referenced', 'Something else refers to it, or what it refers to is not here.');
  if (code === '22P02' || code === '22021' || code === '23514')
    return refuse(400, 'invalid_request', 'A value has the wrong form.');
  return undefined;
};

/** The chat as a Hono app: every request belongs to the tenant of its Host header, every query runs as that tenant. */
export const createChat = (parts: ChatParts): Hono<ChatEnv> => {
  const chat = new Hono<ChatEnv>();
  chat.get('/healthz', async (context) => {
    try {
      await parts.tenancy.check();
      return context.text('ok');
    } catch (error) {
      parts.log?.(`health: ${error instanceof Error ? error.message : String(error)}`);
      return context.text('The database does not answer.', 503);
    }
  });
  chat.use(async (context, next) => {
    context.header(
      'Content-Security-Policy',
      "default-src 'none'; style-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'",
    );
    context.header('X-Content-Type-Options', 'nosniff');
    context.header('Referrer-Policy', 'no-referrer');
    context.header('Cache-Control', 'no-store');
    // A browser tells where a request comes from; a form on another site must not act with this site's cookie.
    const site = context.req.header('sec-fetch-site');
    if (!safeMethods.has(context.req.method) && site !== undefined && site !== 'same-origin' && site !== 'none') {
      throw refuse(403, 'cross_site', 'Requests from other sites are refused.');
    }
    const host = context.req.header('host') ?? '';
    const route = await parts.tenancy.resolveTenant(host);
    if (!route) return answer(context, unknownHostPage(host));
    if (route.state === 'suspended')
      throw new TenancyFailure('TenantSuspended', `Tenant ${route.tenantId} is suspended.`, { retryAfter: 60 });
    context.set('route', route);
    context.set('parts', parts);
    await next();
  });
  chat.use('/api/*', async (context, next) => {
    const headers = { authorization: context.req.header('authorization'), cookie: context.req.header('cookie') };
    const access = parts.gate.check(headers, context.var.route.tenantId);
    if ('refused' in access)
      throw refuse(access.refused, access.refused === 401 ? 'not_signed_in' : 'other_tenant', access.reason);
    context.set('session', access.session);
    await next();
  });
  chat.route('/api', people);
  chat.route('/api/streams', streams);
  chat.route('/api/streams', streamMessages);
  chat.route('/api/messages', messages);
  chat.route('/api', attachments);
  chat.route('/api/activity', activity);
  chat.route('/', home);
  chat.notFound((context) => refuse(404, 'not_found', `There is nothing at ${context.req.path}.`).getResponse());
  chat.onError((error, context) => {
    if (error instanceof HTTPException) return error.getResponse();
    if (isTenancyFailure(error)) {
      parts.log?.(`${context.req.method} ${context.req.path}: ${error.name} ${error.message}`);
      return answer(context, failurePage(error), failureHeaders(error));
    }
    const refusal = constraintRefusal(error);
    if (refusal) return refusal.getResponse();
    parts.log?.(`${context.req.method} ${context.req.path}: ${error.stack ?? error.message}`);
    return Response.json({ status: 500, code: 'internal', detail: 'Something broke on our side.' }, { status: 500 });
  });
  return chat;
};
