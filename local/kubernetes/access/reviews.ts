import { isObject } from '../object.ts';
import { objectBody, readBody } from '../requests/body.ts';
import { answer, type Exchange } from '../requests/exchange.ts';
import type { ResourcePath } from '../requests/request.ts';
import { notAllowed } from '../status.ts';
import { isAllowed, rulesFor } from './authorization.ts';

const text = (value: unknown): string | undefined => (typeof value === 'string' && value !== '' ? value : undefined);

const reviewAccess = ({ objects, identity }: Exchange, spec: Readonly<Record<string, unknown>>): object => {
  const asked = spec.resourceAttributes;
  // Discovery and health are open to everybody whose token is good.
  if (!isObject(asked)) return { allowed: isObject(spec.nonResourceAttributes) };
  const allowed = isAllowed(objects, identity, {
    verb: text(asked.verb) ?? '*',
    group: text(asked.group) ?? '',
    resource: text(asked.resource) ?? '*',
    subresource: text(asked.subresource),
    namespace: text(asked.namespace),
    name: text(asked.name),
  });
  return allowed ? { allowed, reason: `RBAC: allowed for User "${identity.username}"` } : { allowed };
};

const reviewRules = ({ objects, identity }: Exchange, spec: Readonly<Record<string, unknown>>): object => ({
  resourceRules: rulesFor(objects, identity, text(spec.namespace) ?? 'default'),
  nonResourceRules: [{ verbs: ['get'], nonResourceURLs: ['/api', '/apis', '/healthz', '/openapi/*', '/version'] }],
  incomplete: false,
});

/** `kubectl auth can-i`, `auth can-i --list`, `auth whoami`. False when the path names no review. */
export const serveReview = async (exchange: Exchange, { group, plural }: ResourcePath): Promise<boolean> => {
  const { request, response, identity } = exchange;
  const review = `${plural}.${group}`;
  const statusOf =
    review === 'selfsubjectaccessreviews.authorization.k8s.io'
      ? reviewAccess
      : review === 'selfsubjectrulesreviews.authorization.k8s.io'
        ? reviewRules
        : review === 'selfsubjectreviews.authentication.k8s.io'
          ? () => ({ userInfo: { username: identity.username, groups: identity.groups } })
          : undefined;
  if (!statusOf) return false;
  if (request.method !== 'POST') throw notAllowed();
  const body = objectBody(await readBody(request));
  answer(response, 201, { ...body, status: statusOf(exchange, isObject(body.spec) ? body.spec : {}) });
  return true;
};
