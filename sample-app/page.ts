import { escapeHtml } from '../app-kit/pages.ts';
import type { Message } from './api/messages.ts';
import type { Stream } from './api/streams.ts';

export interface ChatPage {
  readonly tenantId: string;
  readonly organisation: string;
  /** Name of the signed-in user; null for a visitor. */
  readonly user: string | null;
  readonly openLogin: boolean;
  readonly people: number;
  readonly streams: readonly Stream[];
  readonly current: Stream | undefined;
  readonly messages: readonly Message[];
  readonly glyphs: Readonly<Record<string, string>>;
}

export const stylesheet = `:root{color-scheme:light dark;--hue:210;--accent:hsl(var(--hue) 60% 42%)}
*{box-sizing:border-box}body{font:1rem/1.5 system-ui,sans-serif;margin:0;display:grid;grid-template-columns:minmax(10rem,16rem) 1fr;min-height:100vh}
header{grid-column:1/-1;background:var(--accent);color:#fff;padding:.8rem 1.2rem;display:flex;justify-content:space-between;flex-wrap:wrap;gap:.5rem}
header h1{font-size:1.2rem;margin:0}header a{color:inherit}nav{padding:1rem;border-right:1px solid color-mix(in srgb,currentColor 15%,transparent)}
nav a{display:flex;justify-content:space-between;padding:.2rem .5rem;border-radius:.3rem;text-decoration:none;color:inherit}
nav a[aria-current]{background:color-mix(in srgb,var(--accent) 22%,transparent);font-weight:600}nav small,time,footer{opacity:.75}
main{padding:1rem 1.5rem;max-width:60rem}article{margin:0 0 1rem}article p{margin:.1rem 0;white-space:pre-wrap;overflow-wrap:anywhere}
.chip{border:1px solid color-mix(in srgb,currentColor 25%,transparent);border-radius:1rem;padding:0 .5rem;margin-right:.3rem;font-size:.85rem}
form{display:flex;gap:.5rem;margin-bottom:1.5rem}input{flex:1;font:inherit;padding:.4rem}button{font:inherit;padding:.4rem 1rem}
@media(max-width:640px){body{grid-template-columns:1fr}nav{border:0;padding-bottom:0}}
`;

const messageHtml = (message: Message, glyphs: ChatPage['glyphs']): string => {
  const reactions = Object.entries(message.reactions).map(
    ([code, count]) => `<span class="chip">${escapeHtml(glyphs[code] ?? code)} ${count}</span>`,
  );
  const files = message.attachments.map(
    ({ id, fileName, bytes }) =>
      `<a class="chip" href="api/attachments/${escapeHtml(id)}">${escapeHtml(fileName)} (${bytes} B)</a>`,
  );
  const sent = message.sentAt.toISOString();
  const reply = message.replyTo === null ? '' : `<small>in reply to #${escapeHtml(message.replyTo)}</small>`;
  return `<article id="m${escapeHtml(message.id)}"><strong>${escapeHtml(message.sender)}</strong> <time datetime="${sent}">${sent.slice(0, 16).replace('T', ' ')}</time> ${reply}
<p>${escapeHtml(message.body)}</p>${reactions.join('')}${files.join('')}</article>`;
};

/** The whole page as HTML. Links are relative, so that it also works below a path such as /t/acme/. */
export const chatPage = (page: ChatPage): string => {
  const streams = page.streams.map(
    (stream) =>
      `<a href="?stream=${encodeURIComponent(stream.name)}"${stream === page.current ? ' aria-current="page"' : ''}># ${escapeHtml(stream.name)} <small>${escapeHtml(stream.messages)}</small></a>`,
  );
  const greeting = page.user === null ? '<span>Visitor</span>' : `<span>${escapeHtml(page.user)}</span>`;
  const door =
    page.user === null && page.openLogin
      ? '<form action="login"><input name="email" type="email" aria-label="E-mail" placeholder="E-mail" required><button>Sign in</button></form>'
      : '';
  const say =
    page.user !== null && page.current
      ? `<form method="post" action="say"><input type="hidden" name="stream" value="${escapeHtml(page.current.id)}"><input name="body" aria-label="Message" placeholder="Message #${escapeHtml(page.current.name)}" required maxlength="10000" autocomplete="off"><button>Send</button></form>`
      : '';
  const messages = page.messages.map((message) => messageHtml(message, page.glyphs)).join('\n');
  const title = escapeHtml(page.organisation);
  return `<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width"><title>${title} · chat</title><link rel="stylesheet" href="style.css"></head>
<body><header><h1>${title}</h1>${greeting}</header>
<nav aria-label="Streams">${streams.join('\n')}<footer><p><small>${page.people} ${page.people === 1 ? 'person' : 'people'} · tenant ${escapeHtml(page.tenantId)}</small></p></footer></nav>
<main>${door}${say}<h2># ${escapeHtml(page.current?.name ?? 'nothing here yet')}</h2>
${messages || '<p>No messages.</p>'}</main></body></html>
`;
};
