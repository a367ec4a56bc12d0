import type { Hono } from 'hono';
import { createGate, type Gate } from '../../app-kit/access.ts';
import type { ChatEnv } from '../../sample-app/context.ts';
import { createChat } from '../../sample-app/server.ts';
import { openTestTenancy, type TestTenancy } from '../app-kit/test-tenancy.ts';

export interface TestChat {
  readonly world: TestTenancy;
  readonly gate: Gate;
  readonly chat: Hono<ChatEnv>;
  /** The same tenants without the demo's door. */
  readonly closed: Hono<ChatEnv>;
  readonly logged: string[];
  /** A request to a tenant's host as one of its users; the e-mail of the tenant's first user unless told, null for nobody. */
  call(
    tenantId: string,
    method: string,
    path: string,
    options?: { as?: string | null; json?: unknown; bytes?: Uint8Array; headers?: Record<string, string> },
  ): Promise<Response>;
  stop(): Promise<void>;
}

/** The chat over two tenants, acme and globex, in a real pool. Every tenant has `owner@<tenant>.example`. */
export const openTestChat = async (): Promise<TestChat> => {
  const world = await openTestTenancy();
  await world.addTenant('acme', 0);
  await world.addTenant('globex', 0);
  const gate = createGate('a secret of more than thirty-two characters');
  const logged: string[] = [];
  const parts = { tenancy: world.tenancy, gate, log: (line: string) => void logged.push(line) };
  const chat = createChat({ ...parts, openLogin: true });
  const tokens = new Map<string, string>();
  const tokenOf = async (tenantId: string, email: string): Promise<string> => {
    const known = tokens.get(`${tenantId}/${email}`);
    if (known) return known;
    const answer = await chat.request(`/login?email=${encodeURIComponent(email)}`, {
      headers: { host: `${tenantId}.localhost`, accept: 'application/json' },
    });
    const { token } = (await answer.json()) as { token: string };
    tokens.set(`${tenantId}/${email}`, token);
    return token;
  };
  return {
    world,
    gate,
    chat,
    closed: createChat({ ...parts, openLogin: false }),
    logged,
    call: async (tenantId, method, path, { as = `owner@${tenantId}.example`, json, bytes, headers } = {}) =>
      chat.request(path, {
        method,
        headers: {
          host: `${tenantId}.localhost:4480`,
          ...(as !== null && { authorization: `Bearer ${await tokenOf(tenantId, as)}` }),
          ...(json !== undefined && { 'content-type': 'application/json' }),
          ...headers,
        },
        ...(json !== undefined && { body: JSON.stringify(json) }),
        ...(bytes && { body: new Uint8Array(bytes) }),
      }),
    stop: () => world.stop(),
  };
};
