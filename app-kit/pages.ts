import { TenancyFailure } from './failure.ts';

/** A complete small answer: no scripts, no external requests, nothing of what the client sent in it unescaped. */
export interface Page {
  readonly status: 404 | 503;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string;
}

export const escapeHtml = (text: string): string =>
  text.replaceAll(/[&<>"']/g, (character) => `&#${character.codePointAt(0)};`);

const page = (
  status: Page['status'],
  title: string,
  text: string,
  headers: Readonly<Record<string, string>> = {},
): Page => ({
  status,
  headers: {
    'Content-Type': 'text/html; charset=utf-8',
    'Content-Security-Policy': "default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'none'",
    'Cache-Control': 'no-store',
    ...headers,
  },
  body: `<!doctype html><html lang="en"><meta charset="utf-8"><meta name="viewport" content="width=device-width"><title>${escapeHtml(title)}</title>
<style>body{font:1rem/1.5 system-ui,sans-serif;max-width:40rem;margin:15vh auto;padding:0 1rem}</style>
<h1>${escapeHtml(title)}</h1><p>${escapeHtml(text)}</p></html>
`,
});

/** 404 for a host that is no tenant's. */
export const unknownHostPage = (host: string): Page =>
  page(
    404,
    'No such place',
    `No organisation is known as ${host.slice(0, 253)}. Check the address for a typing mistake.`,
  );

/**
 * Headers of a TenancyFailure's answer, page or not: Retry-After where trying again is safe, and `tenantry-moved` where an own app's
 * tenant has moved, so that whoever routes asks for the new place and sends the request there.
 */
export const failureHeaders = ({ retryAfter, moved }: TenancyFailure): Record<string, string> => ({
  ...(retryAfter !== undefined && { 'Retry-After': String(retryAfter) }),
  ...(moved !== undefined && { 'tenantry-moved': moved }),
});

/** The page of a TenancyFailure, with Retry-After where trying again is safe. The message stays in the log: it may name servers. */
export const failurePage = (failure: TenancyFailure): Page => {
  const headers = failureHeaders(failure);
  if (failure.name === 'TenantNotFound') return page(404, 'No such place', 'This organisation is not here any more.');
  if (failure.name === 'TenantSuspended')
    return page(503, 'Suspended', 'This organisation is suspended. Ask its administrator.', headers);
  if (failure.name === 'OutcomeUnknown') {
    return page(
      503,
      'Please look first',
      'The connection broke while your change was being stored. Check whether it is there before you repeat it.',
    );
  }
  return page(503, 'One moment', 'This organisation cannot be reached right now. Try again in a moment.', headers);
};

export const isTenancyFailure = (error: unknown): error is TenancyFailure => error instanceof TenancyFailure;
