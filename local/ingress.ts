import { randomUUID } from 'node:crypto';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { sendPage, sendProblem } from './ingress/answers.ts';
import { carriesToken, guardOperator } from './ingress/guard.ts';
import { destinationOf, hostOf, operatorHosts } from './ingress/hosts.ts';
import { type HttpApiEvent, httpApiEvent, largestBody, readBody, sendHttpApiResponse } from './ingress/http-api.ts';
import { proxyOwnApp } from './ingress/own-app.ts';
import { proxy } from './ingress/proxy.ts';

export interface IngressOptions {
  /** Port of the hosted app's process; undefined while it is down. */
  readonly appPort: () => number | undefined;
  /** Port of a process of the app that serves this host alone (tiers namespace and cluster); undefined for hosts of the shared app. */
  readonly ownAppPort?: (host: string) => number | undefined;
  /** Runs the operator API's function with an HTTP API event and resolves with what it answered. */
  readonly invokeOperatorApi: (event: HttpApiEvent) => Promise<unknown>;
  /** Bearer token of this run. */
  readonly token: string;
  /** Names at which the operator API answers: `operatorHosts` unless told. */
  readonly hosts?: readonly string[];
  readonly log?: (line: string) => void;
}

export type Ingress = (request: IncomingMessage, response: ServerResponse) => void;

/** `/t/acme/...` on 127.0.0.1, for clients whose resolver does not know `*.localhost` (Node's on Debian 12, for one). */
const tenantPath = /^\/t\/([a-z0-9][a-z0-9-]{0,62})(?:(\/.*)|$)/;

const isApi = (path: string): boolean => /^\/api\/v1(\/|\?|$)/.test(path);

const helpful = (port: number | undefined): string =>
  `Tenants: http://<tenant>.localhost:${port}/ (or http://127.0.0.1:${port}/t/<tenant>/)\nOperator API: http://api.localhost:${port}/api/v1/, with the token that \`tenantry\` commands use\nAWS: send signed requests to http://127.0.0.1:${port}`;

/**
 * What the gateway does with requests that carry no AWS signature: tenants' hosts go to their own app, else to the shared one, the operator API's hosts to
 * its function behind a guard (421 for a name that is not ours, 403 for other sites, 401 without the token), the rest is told where
 * to go. A request with the operator's token to a tenant's host is refused with 421, so that the app never sees the token.
 */
export const createIngress = (options: IngressOptions): Ingress => {
  const hosts = options.hosts ?? operatorHosts;

  /** `name` is the Host without port, `host` what the app sees. */
  const serve = (
    request: IncomingMessage,
    response: ServerResponse,
    { name, host, path }: { name: string; host: string; path: string },
  ): void => {
    const own = options.ownAppPort?.(name);
    if (own === undefined) {
      proxy(request, response, { port: options.appPort(), host, path });
      return;
    }
    const port = (): number | undefined => options.ownAppPort?.(name) ?? options.appPort();
    proxyOwnApp(request, response, { first: own, port, host, path });
  };

  const operate = async (request: IncomingMessage, response: ServerResponse, host: string): Promise<void> => {
    const body = await readBody(request);
    if (!body) return sendProblem(response, 413, 'too_large', `The body may have ${largestBody} bytes.`);
    const event = httpApiEvent(request, body, { host, requestId: randomUUID(), now: new Date() });
    try {
      sendHttpApiResponse(response, await options.invokeOperatorApi(event));
    } catch (error) {
      const reason = error instanceof Error ? error.message : String(error);
      options.log?.(`operator API ${request.method} ${event.rawPath}: ${reason}`);
      sendProblem(response, 502, 'operator_api_failed', `The operator API's function failed: ${reason}`);
    }
  };

  const api = (request: IncomingMessage, response: ServerResponse, host: string): void => {
    const refusal = guardOperator(request.headers, options.token);
    if (refusal) {
      const headers: Record<string, string> = refusal.status === 401 ? { 'WWW-Authenticate': 'Bearer' } : {};
      sendProblem(response, refusal.status, refusal.code, refusal.detail, headers);
    } else {
      void operate(request, response, host).catch(() => response.destroy());
    }
  };

  const operator = (request: IncomingMessage, response: ServerResponse, host: string): void => {
    const path = request.url ?? '/';
    const [, tenant, rest] = (host === '127.0.0.1' && tenantPath.exec(path)) || [];
    if (isApi(path)) api(request, response, host);
    else if (tenant === undefined) sendPage(response, 404, 'Nothing here', helpful(request.socket.localPort));
    else if (rest === undefined) response.writeHead(308, { Location: `/t/${tenant}/` }).end();
    else serve(request, response, { name: `${tenant}.localhost`, host: `${tenant}.localhost`, path: rest });
  };

  return (request, response) => {
    const host = hostOf(request.headers.host);
    const destination = destinationOf(host, hosts);
    const misdirected = destination.kind === 'app' && carriesToken(request.headers, options.token);
    if (destination.kind === 'nobody' || misdirected) {
      const detail = `Nothing answers to host ${JSON.stringify(host.slice(0, 253))} here; the operator API is at http://api.localhost:${request.socket.localPort}/api/v1/.`;
      if (misdirected || isApi(request.url ?? '/')) sendProblem(response, 421, 'foreign_host', detail);
      else sendPage(response, 404, 'Nothing here', helpful(request.socket.localPort));
    } else if (destination.kind === 'operator') {
      operator(request, response, host);
    } else {
      serve(request, response, { name: host, host: request.headers.host ?? host, path: request.url ?? '/' });
    }
    // An unread body would keep a kept-alive connection stuck.
    if (response.writableEnded) request.resume();
  };
};
