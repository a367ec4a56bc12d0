import type { ServerResponse } from 'node:http';

const escapeHtml = (text: string): string =>
  text.replaceAll(/[&<>"']/g, (character) => `&#${character.codePointAt(0)};`);

/** A small page for a person; nothing once an answer has begun. */
export const sendPage = (
  response: ServerResponse,
  status: number,
  title: string,
  text: string,
  headers: Readonly<Record<string, string>> = {},
): void => {
  if (response.headersSent) return;
  response
    .writeHead(status, {
      'Content-Type': 'text/html; charset=utf-8',
      'Content-Security-Policy': "default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'none'",
      'Cache-Control': 'no-store',
      ...headers,
    })
    .end(
      `<!doctype html><html lang="en"><meta charset="utf-8"><title>${escapeHtml(title)}</title>\n<style>body{font:1rem/1.5 system-ui,sans-serif;max-width:44rem;margin:12vh auto;padding:0 1rem}p{white-space:pre-line}</style>\n<h1>${escapeHtml(title)}</h1><p>${escapeHtml(text)}</p></html>\n`,
    );
};

/** A refusal for a program: RFC 9457 problem. */
export const sendProblem = (
  response: ServerResponse,
  status: number,
  code: string,
  detail: string,
  headers: Readonly<Record<string, string>> = {},
): void => {
  if (response.headersSent) return;
  response
    .writeHead(status, { 'Content-Type': 'application/problem+json', 'Cache-Control': 'no-store', ...headers })
    .end(JSON.stringify({ status, code, detail }));
};
