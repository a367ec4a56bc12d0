import { authorize } from '../access/authorization.ts';
import { actingAs } from '../access/impersonation.ts';
import { serveReview } from '../access/reviews.ts';
import { findKind, servedKinds } from '../catalog.ts';
import type { Kind } from '../kinds.ts';
import { badRequest, noSuchPath, notAllowed, StatusError, statusBody } from '../status.ts';
import {
  aggregatedDiscovery,
  aggregatedType,
  groupInfo,
  groupList,
  legacyVersions,
  resourceList,
} from '../views/discovery.ts';
import { openApiDocument, openApiIndex } from '../views/openapi.ts';
import { openApiV2, openApiV2Type } from '../views/openapi-v2.ts';
import { answer, type Exchange } from './exchange.ts';
import { type PathTarget, parsePath, verbOf } from './request.ts';
import { serveResource } from './resources.ts';
import { kubernetesVersion } from './version.ts';

const wantsAggregated = (accept: string): boolean =>
  accept.includes('as=APIGroupDiscoveryList') && /v=v2(;|,|$)/.test(accept);

const discovery = (kinds: readonly Kind[], core: boolean, accept: string): { body: object; type?: string } => {
  if (wantsAggregated(accept)) return { body: aggregatedDiscovery(kinds, core), type: aggregatedType };
  return { body: core ? legacyVersions() : groupList(kinds) };
};

/** What stands at a path without objects. Throws 404. */
const documentAt = ({ objects, request, prefix }: Exchange, path: string): { body: object; type?: string } => {
  const kinds = servedKinds(objects);
  if (path === '/version') return { body: kubernetesVersion };
  if (path === '/api' || path === '/apis') return discovery(kinds, path === '/api', request.headers.accept ?? '');
  if (path === '/openapi/v3') return { body: openApiIndex(kinds, prefix) };
  const document = /^\/openapi\/v3\/(.+)$/.exec(path)?.[1];
  if (document) return { body: openApiDocument(kinds, document) };
  throw noSuchPath();
};

const serveOther = (exchange: Exchange, path: string): void => {
  const { response } = exchange;
  const bare = path.replace(/\/+$/, '');
  if (/^\/(healthz|readyz|livez)(\/.*)?$/.test(bare)) {
    response.writeHead(200, { 'content-type': 'text/plain' }).end('ok');
    return;
  }
  if (bare === '/openapi/v2') {
    response.writeHead(200, { 'content-type': openApiV2Type }).end(openApiV2(servedKinds(exchange.objects)));
    return;
  }
  const { body, type } = documentAt(exchange, bare);
  answer(response, 200, body, type === undefined ? {} : { type });
};

const serveGroup = ({ objects, response }: Exchange, group: string, version: string | undefined): void => {
  const kinds = servedKinds(objects);
  answer(response, 200, version === undefined ? groupInfo(kinds, group) : resourceList(kinds, group, version));
};

const serve = async (exchange: Exchange, target: PathTarget): Promise<void> => {
  const { objects, identity, request, query } = exchange;
  const method = request.method ?? 'GET';
  if (target.type !== 'resource') {
    if (method !== 'GET' && method !== 'HEAD') throw notAllowed();
    if (target.type === 'group') serveGroup(exchange, target.group, target.version);
    else serveOther(exchange, target.path);
    return;
  }
  const path = target.resource;
  if (await serveReview(exchange, path)) return;
  const kind = findKind(objects, path);
  if (!kind) throw noSuchPath();
  const verb = verbOf(method, path.name !== undefined, query);
  if (!verb) throw notAllowed();
  authorize(objects, identity, { verb, kind, path });
  await serveResource(exchange, kind, path, verb);
};

const refusalOf = (error: unknown): StatusError => {
  if (error instanceof StatusError) return error;
  if (error instanceof URIError) return badRequest('the path has a malformed escape');
  return new StatusError(500, 'InternalError', `Internal error occurred: ${(error as Error).message}`);
};

/** Serves a request below `/clusters/<name>`. Everything that goes wrong is answered as a Status. */
export const handle = async (exchange: Exchange, path: string, log: (line: string) => void): Promise<void> => {
  const { request, response } = exchange;
  try {
    const identity = actingAs(exchange.objects, exchange.identity, request);
    await serve({ ...exchange, identity }, parsePath(path));
  } catch (error) {
    const refusal = refusalOf(error);
    if (refusal.code === 500 && refusal !== error) log(`${request.method} ${request.url}: ${(error as Error).stack}`);
    if (response.headersSent) response.destroy();
    else answer(response, refusal.code, statusBody(refusal));
  }
};
