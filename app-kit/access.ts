import { createHmac, timingSafeEqual } from 'node:crypto';
import * as z from 'zod';

/** Who acts, and the one tenant in which they may. */
export interface Session {
  readonly tenantId: string;
  readonly userId: string;
}

export type Access =
  | { readonly session: Session }
  /** 401: nobody, expired or forged. 403: somebody, but of another tenant. */
  | { readonly refused: 401 | 403; readonly reason: string };

export interface Gate {
  /** A token for one user of one tenant, valid for `seconds` (12 hours unless told). */
  issue(session: Session, seconds?: number): string;
  /** The value of a Set-Cookie header that carries the token to this host alone, out of reach of scripts. */
  cookie(token: string, options: { secure: boolean; seconds?: number }): string;
  /** Who the request is, for the tenant it was sent to: `Authorization: Bearer` first, else the cookie. */
  check(headers: { authorization?: string | undefined; cookie?: string | undefined }, tenantId: string): Access;
}

const claimsSchema = z.object({ t: z.string(), u: z.string(), e: z.number() });

const halfDay = 43_200;

const cookieName = 'session';

const tokenOf = ({
  authorization,
  cookie,
}: {
  authorization?: string | undefined;
  cookie?: string | undefined;
}): string | undefined => {
  const bearer = /^Bearer ([\w.-]+)$/i.exec(authorization ?? '')?.[1];
  if (bearer !== undefined || authorization !== undefined) return bearer;
  for (const part of (cookie ?? '').split(';')) {
    const [name, value] = part.trim().split('=');
    if (name === cookieName) return value;
  }
  return undefined;
};

/**
 * Session tokens bound to a tenant: base64url claims, a dot, their HMAC-SHA256. `secret` is shared by every process of the app and has
 * at least 32 characters. A valid token of acme is refused at globex: the tenant is part of what is signed.
 */
export const createGate = (secret: string, now: () => number = Date.now): Gate => {
  if (secret.length < 32)
    throw new RangeError(`The session secret has ${secret.length} characters; use at least 32 random ones.`);
  const sign = (claims: string): Buffer => createHmac('sha256', secret).update(claims).digest();
  const read = (token: string): z.infer<typeof claimsSchema> | undefined => {
    const [claims = '', signature = '', ...more] = token.split('.');
    const given = Buffer.from(signature, 'base64url');
    const right = sign(claims);
    if (more.length > 0 || given.length !== right.length || !timingSafeEqual(given, right)) return undefined;
    return claimsSchema.parse(JSON.parse(Buffer.from(claims, 'base64url').toString('utf8')));
  };
  return {
    issue: ({ tenantId, userId }, seconds = halfDay) => {
      const claims = Buffer.from(JSON.stringify({ t: tenantId, u: userId, e: now() + seconds * 1000 })).toString(
        'base64url',
      );
      return `${claims}.${sign(claims).toString('base64url')}`;
    },
    cookie: (token, { secure, seconds = halfDay }) =>
      `${cookieName}=${token}; Path=/; Max-Age=${seconds}; HttpOnly; SameSite=Lax${secure ? '; Secure' : ''}`,
    check: (headers, tenantId) => {
      const token = tokenOf(headers);
      if (token === undefined) return { refused: 401, reason: 'Sign in first.' };
      const claims = read(token);
      if (!claims) return { refused: 401, reason: 'The session is not valid. Sign in again.' };
      if (claims.e <= now()) return { refused: 401, reason: 'The session has expired. Sign in again.' };
      if (claims.t !== tenantId)
        return { refused: 403, reason: `This session belongs to another tenant than ${tenantId}.` };
      return { session: { tenantId, userId: claims.u } };
    },
  };
};
