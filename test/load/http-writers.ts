import { randomBytes } from 'node:crypto';
import { Agent, type IncomingHttpHeaders, request } from 'node:http';
import { setTimeout as delay } from 'node:timers/promises';
import type { Ack, Load } from './writers.ts';

export interface HttpAnswer {
  readonly status: number;
  readonly headers: IncomingHttpHeaders;
  readonly body: string;
}

/** A browser of one tenant: everything goes to the cloud's port with the tenant's host, which Node's resolver need not know. */
export interface Visitor {
  ask(method: string, path: string, body?: unknown): Promise<HttpAnswer>;
  close(): void;
}

export const visit = ({ port, host }: { readonly port: number; readonly host: string }): Visitor => {
  const agent = new Agent({ keepAlive: true });
  let token: string | undefined;
  return {
    ask: (method, path, body) =>
      new Promise((answered, failed) => {
        const text = body === undefined ? undefined : JSON.stringify(body);
        const headers = {
          host,
          accept: 'application/json',
          ...(token === undefined ? {} : { authorization: `Bearer ${token}` }),
          ...(text === undefined
            ? {}
            : { 'content-type': 'application/json', 'content-length': Buffer.byteLength(text) }),
        };
        const sent = request({ host: '127.0.0.1', port, method, path, headers, agent }, (response) => {
          let heard = '';
          response.setEncoding('utf8').on('data', (part: string) => {
            heard += part;
          });
          response.once('end', () => {
            if (path.startsWith('/login') && response.statusCode === 200)
              token = (JSON.parse(heard) as { token: string }).token;
            answered({ status: response.statusCode ?? 0, headers: response.headers, body: heard });
          });
          response.once('error', failed);
        });
        sent.once('error', failed);
        sent.end(text);
      }),
    close: () => agent.destroy(),
  };
};

/** Signs a user in where the app's door is open; the tenant's first user unless told. Throws with what the app answered. */
export const signIn = async (visitor: Visitor, email: string): Promise<void> => {
  const { status, body } = await visitor.ask('GET', `/login?email=${encodeURIComponent(email)}`);
  if (status !== 200) throw new Error(`${email} cannot sign in: ${status} ${body.slice(0, 300)}`);
};

const streamNamed = async (visitor: Visitor, name: string): Promise<string> => {
  const { status, body } = await visitor.ask('GET', '/api/streams');
  if (status !== 200) throw new Error(`the streams cannot be read: ${status} ${body.slice(0, 300)}`);
  const { items } = JSON.parse(body) as { items: { id: string; name: string }[] };
  return items.find((stream) => stream.name === name)!.id;
};

export interface HttpLoad extends Load {
  /** Milliseconds that the slowest of all requests took, and when it ended (performance.now()). */
  slowest(): { readonly millis: number; readonly at: number };
  /** Forgets what was slow, so that the next move is measured alone. */
  forgetSlowest(): void;
  /** Every message of the writers that the tenant's host shows now, with how often. */
  found(): Promise<ReadonlyMap<string, number>>;
}

export interface HttpLoadOptions {
  /** Of the gateway. */
  readonly port: number;
  readonly host: string;
  readonly tenantId: string;
  readonly writers?: number;
  /** Milliseconds between two operations of one writer. */
  readonly pause?: number;
}

/**
 * Writers that know nothing of Tenantry: they post messages to the tenant's own host and never repeat a request. An operation is
 * acknowledged by 201. An answer that says that nothing was stored is `refused`, one that does not say is `unknown`: during a
 * move a user sees neither.
 */
export const startHttpWriters = async (options: HttpLoadOptions): Promise<HttpLoad> => {
  const { tenantId, writers = 4, pause = 25 } = options;
  const label = `op ${randomBytes(3).toString('hex')}`;
  const visitors = Array.from({ length: writers }, () => visit(options));
  const owner = `owner@${tenantId}.example`;
  for (const visitor of visitors) await signIn(visitor, owner);
  const stream = await streamNamed(visitors[0]!, 'general');
  const acks: Ack[] = [];
  const unknown: string[] = [];
  const refused: { op: string; reason: string }[] = [];
  let slowest = { millis: 0, at: 0 };
  let running = true;

  const post = async (visitor: Visitor, op: string): Promise<void> => {
    const began = performance.now();
    try {
      const { status, headers, body } = await visitor.ask('POST', `/api/streams/${stream}/messages`, { body: op });
      if (status === 201) acks.push({ op, at: performance.now() });
      else if (status < 500 || headers['retry-after'] !== undefined)
        refused.push({ op, reason: `${status} ${body.slice(0, 200)}` });
      else unknown.push(`${op}: ${status} ${body.slice(0, 200)}`);
    } catch (error) {
      unknown.push(`${op}: ${String(error)}`);
    }
    const at = performance.now();
    if (at - began > slowest.millis) slowest = { millis: at - began, at };
  };

  const write = async (visitor: Visitor, writer: number): Promise<void> => {
    for (let seq = 0; running; seq += 1) {
      await post(visitor, `${label} ${writer}-${seq}`);
      await delay(pause);
    }
  };
  const all = visitors.map(write);

  const found = async (): Promise<Map<string, number>> => {
    const reader = visit(options);
    try {
      await signIn(reader, owner);
      const seen = new Map<string, number>();
      let before: string | null = null;
      do {
        const query: string = before === null ? '' : `&before=${before}`;
        const { status, body } = await reader.ask('GET', `/api/streams/${stream}/messages?limit=200${query}`);
        if (status !== 200) throw new Error(`the messages cannot be read: ${status} ${body.slice(0, 300)}`);
        const page = JSON.parse(body) as { items: { body: string }[]; next: string | null };
        for (const message of page.items)
          if (message.body.startsWith(label)) seen.set(message.body, (seen.get(message.body) ?? 0) + 1);
        before = page.next;
      } while (before !== null);
      return seen;
    } finally {
      reader.close();
    }
  };

  return {
    label,
    acks,
    unknown,
    refused,
    slowest: () => slowest,
    forgetSlowest: () => {
      slowest = { millis: 0, at: 0 };
    },
    found,
    more: async (operations) => {
      const wanted = acks.length + operations;
      const end = performance.now() + 30_000;
      while (acks.length < wanted) {
        if (performance.now() > end)
          throw new Error(
            `only ${acks.length} of ${wanted} operations were acknowledged within 30 s; ${JSON.stringify({ refused: refused.slice(-3), unknown: unknown.slice(-3) })}`,
          );
        await delay(5);
      }
    },
    stop: async () => {
      running = false;
      await Promise.all(all);
      for (const visitor of visitors) visitor.close();
    },
  };
};

/** What became of every operation, read through the tenant's host. All three lists are empty when nobody lost anything. */
export const settle = async (
  load: HttpLoad,
): Promise<{ acked: number; lost: string[]; duplicated: string[]; unasked: string[] }> => {
  const seen = await load.found();
  const acked = new Set(load.acks.map(({ op }) => op));
  const doubtful = new Set(load.unknown.map((line) => line.split(':')[0]!));
  return {
    acked: acked.size,
    lost: [...acked].filter((op) => !seen.has(op)),
    duplicated: [...seen].filter(([, count]) => count > 1).map(([op]) => op),
    unasked: [...seen.keys()].filter((op) => !acked.has(op) && !doubtful.has(op)),
  };
};
