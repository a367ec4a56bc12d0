import type { IncomingMessage } from 'node:http';
import type { ClusterObjects } from '../cluster-objects.ts';
import type { Identity } from '../requests/exchange.ts';
import { StatusError } from '../status.ts';
import { type Attributes, isAllowed } from './authorization.ts';

const valuesOf = (request: IncomingMessage, name: string): string[] =>
  request.rawHeaders.flatMap((header, index, all) =>
    index % 2 === 0 && header.toLowerCase() === name ? [all[index + 1]!] : [],
  );

const account = /^system:serviceaccount:([^:]+):([^:]+)$/;

const asked = (resource: string, name: string, namespace?: string): Attributes => ({
  verb: 'impersonate',
  group: '',
  resource,
  subresource: undefined,
  namespace,
  name,
});

/** Groups that the authenticator of a real API gives by itself. */
const impliedGroups = (username: string): string[] => {
  const [, namespace] = account.exec(username) ?? [];
  return namespace === undefined ? [] : ['system:serviceaccounts', `system:serviceaccounts:${namespace}`];
};

/**
 * Who the request is to be judged as: `kubectl --as` and `--as-group`. Throws 403 where the caller may not act as that user,
 * service account or group.
 */
export const actingAs = (objects: ClusterObjects, identity: Identity, request: IncomingMessage): Identity => {
  const [username] = valuesOf(request, 'impersonate-user');
  const groups = valuesOf(request, 'impersonate-group');
  if (username === undefined) {
    if (groups.length === 0) return identity;
    throw new StatusError(
      400,
      'BadRequest',
      'groups are impersonated together with a user: Impersonate-User is missing',
    );
  }
  const [, namespace, name] = account.exec(username) ?? [];
  const wanted = [
    name === undefined ? asked('users', username) : asked('serviceaccounts', name, namespace),
    ...groups.map((group) => asked('groups', group)),
  ];
  const refused = wanted.find((attributes) => !isAllowed(objects, identity, attributes));
  if (refused) {
    throw new StatusError(
      403,
      'Forbidden',
      `${refused.resource} "${refused.name}" is forbidden: User "${identity.username}" cannot impersonate resource "${refused.resource}" in API group "" ${refused.namespace ? `in the namespace "${refused.namespace}"` : 'at the cluster scope'}`,
      { name: refused.name!, kind: refused.resource },
    );
  }
  return { username, groups: [...new Set([...groups, ...impliedGroups(username), 'system:authenticated'])] };
};
