import { isIP } from 'node:net';

/** Who a request is for, by its Host header. */
export type Destination =
  | { readonly kind: 'operator' }
  | { readonly kind: 'app' }
  /** A name that nothing here answers to: no Host, an IP address of somebody else, bare `localhost`. */
  | { readonly kind: 'nobody'; readonly host: string };

/**
 * Names of the operator API. Bare `localhost` is none: cookies ignore ports, so a session there would be shared with every
 * other program of the developer.
 */
export const operatorHosts: readonly string[] = ['api.localhost', 'console.localhost', '127.0.0.1'];

/** `Acme.localhost:4480` -> `acme.localhost`. */
export const hostOf = (header: string | undefined): string =>
  (header ?? '').trim().toLowerCase().replace(/:\d*$/, '').replace(/\.$/, '');

/** `*.localhost` and dotted names (custom domains) go to the app, which knows its tenants and refuses other names. */
export const destinationOf = (host: string, operators: readonly string[]): Destination => {
  if (operators.includes(host)) return { kind: 'operator' };
  const name = /^(?=.{1,253}$)([a-z0-9_]([a-z0-9_-]{0,61}[a-z0-9_])?\.)+[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$/.test(host);
  return name && isIP(host) === 0 ? { kind: 'app' } : { kind: 'nobody', host };
};
