import { createHash, timingSafeEqual } from 'node:crypto';
import type { IncomingHttpHeaders } from 'node:http';

export interface Refusal {
  readonly status: 401 | 403 | 421;
  readonly code: string;
  readonly detail: string;
}

const digest = (text: string): Buffer => createHash('sha256').update(text).digest();

/** True when the request carries the operator's token of this run. */
export const carriesToken = (headers: IncomingHttpHeaders, token: string): boolean => {
  const given = /^Bearer (.+)$/i.exec(headers.authorization ?? '')?.[1];
  return given !== undefined && timingSafeEqual(digest(given), digest(token));
};

/**
 * Who may call the operator API on a laptop where any web page can send requests to loopback: a page of another site is told apart
 * by Sec-Fetch-Site, which scripts cannot set, and everybody by the token that only this user's files hold. The Host was checked
 * before: a rebound DNS name (CVE-2025-24010 in another server) never gets here.
 */
export const guardOperator = (headers: IncomingHttpHeaders, token: string): Refusal | undefined => {
  const site = headers['sec-fetch-site'];
  if (site !== undefined && site !== 'same-origin' && site !== 'none') {
    return {
      status: 403,
      code: 'cross_site',
      detail: `Sec-Fetch-Site is ${String(site)}: pages of other sites may not call the operator API.`,
    };
  }
  if (!carriesToken(headers, token)) {
    return {
      status: 401,
      code: 'no_token',
      detail: 'Send the token of this run as `Authorization: Bearer ...`; the CLI reads it from the data directory.',
    };
  }
  return undefined;
};
