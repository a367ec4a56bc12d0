import { queryPairs, splitUrl } from '../gateway/canonical-request.ts';
import type { CredentialStore } from '../gateway/credentials.ts';
import { sha256, verifySignature } from '../gateway/signature.ts';

export interface TokenContext {
  /** The cluster that the request went to: a token is signed for one. */
  readonly cluster: string;
  readonly credentials: CredentialStore;
  readonly accountId: string;
  readonly now: Date;
}

export type TokenVerdict =
  | {
      /** Of the user, or of the role that the caller assumed: what an access entry names. */
      readonly principalArn: string;
      /** As GetCallerIdentity answers, with the session's name. */
      readonly callerArn: string;
    }
  | { readonly refusal: string };

/** Limits of kubernetes-sigs/aws-iam-authenticator, pkg/token/token.go. */
const prefix = 'k8s-aws-v1.';
const mostBytes = 4_096;
const mostExpires = 900;
const lifetime = 15 * 60_000;
const clusterHeader = 'x-k8s-aws-id';
const parameters = new Set([
  'action',
  'version',
  'x-amz-algorithm',
  'x-amz-credential',
  'x-amz-date',
  'x-amz-expires',
  'x-amz-security-token',
  'x-amz-signature',
  'x-amz-signedheaders',
  'x-amz-user-agent',
]);

const isStsHost = (url: URL): boolean =>
  url.protocol === 'https:'
    ? /^sts(-fips)?(\.[a-z0-9-]+)?\.amazonaws\.com(\.cn)?$/.test(url.hostname)
    : url.protocol === 'http:' && ['127.0.0.1', 'localhost'].includes(url.hostname);

const decode = (token: string): URL | string => {
  if (!token.startsWith(prefix)) return `the token does not begin with ${prefix}`;
  if (token.length > mostBytes) return `the token has ${token.length} bytes; ${mostBytes} are the most`;
  const encoded = token.slice(prefix.length);
  if (!/^[\w-]+$/.test(encoded)) return 'the token is no base64url';
  const text = Buffer.from(encoded, 'base64url').toString();
  return URL.canParse(text) ? new URL(text) : 'the token holds no URL';
};

const instantOf = (timestamp: string): number =>
  Date.parse(timestamp.replace(/^(\d{4})(\d\d)(\d\d)T(\d\d)(\d\d)(\d\d)Z$/, '$1-$2-$3T$4:$5:$6Z'));

/** What is wrong with a URL that should be a presigned GetCallerIdentity of a cluster. */
const faultOf = (url: URL, query: ReadonlyMap<string, string>, given: number): string | undefined => {
  if (!isStsHost(url)) return `the URL in the token leads to ${url.origin}, which is no STS`;
  if (url.pathname !== '/') return `the URL in the token has the path ${url.pathname}`;
  if (query.size !== given) return 'the URL in the token has a parameter twice';
  const unknown = [...query.keys()].find((name) => !parameters.has(name));
  if (unknown) return `the URL in the token has the parameter ${unknown}`;
  if (query.get('action') !== 'GetCallerIdentity') return `the token is signed for ${query.get('action')}`;
  if (!(query.get('x-amz-signedheaders') ?? '').split(';').includes(clusterHeader)) {
    return `the token is not bound to a cluster: ${clusterHeader} is not signed`;
  }
  const expires = Number(query.get('x-amz-expires') ?? Number.NaN);
  if (!(expires >= 0 && expires <= mostExpires)) return `X-Amz-Expires must be 0 to ${mostExpires}`;
  return undefined;
};

/** `arn:aws:sts::1:assumed-role/NAME/SESSION` as `arn:aws:iam::1:role/NAME`, which access entries name; others as they are. */
export const principalOf = (callerArn: string): string => {
  const [, partition, account, role] = /^arn:([^:]+):sts::(\d+):assumed-role\/([^/]+)\/.+$/.exec(callerArn) ?? [];
  return role ? `arn:${partition}:iam::${account}:role/${role}` : callerArn;
};

/**
 * Verifies an EKS bearer token as EKS does: a presigned GetCallerIdentity bound to this cluster, good for 15 minutes from its
 * signing whatever its X-Amz-Expires says. Instead of asking STS it checks the signature with the keys of the laptop.
 */
export const verifyEksToken = (token: string, context: TokenContext): TokenVerdict => {
  const { cluster, credentials, accountId, now } = context;
  const url = decode(token);
  if (typeof url === 'string') return { refusal: url };
  const pairs = queryPairs(splitUrl(url.href).query);
  const query = new Map(pairs.map(([name, value]) => [name.toLowerCase(), value]));
  const fault = faultOf(url, query, pairs.length);
  if (fault) return { refusal: fault };
  const signed = instantOf(query.get('x-amz-date') ?? '');
  if (Number.isNaN(signed)) return { refusal: `X-Amz-Date is "${query.get('x-amz-date')}"` };
  const age = now.getTime() - signed;
  if (age > lifetime)
    return { refusal: `the token was signed at ${new Date(signed).toISOString()}, over 15 minutes ago` };
  if (age < -lifetime / 3)
    return { refusal: `the token was signed for ${new Date(signed).toISOString()}, which is not yet` };
  const verification = verifySignature(
    {
      method: 'GET',
      url: `${url.pathname}${url.search}`,
      headers: { host: url.host, [clusterHeader]: cluster },
      payloadHash: sha256(''),
    },
    (accessKeyId) => credentials.find(accessKeyId),
    // As of its signing: X-Amz-Expires does not bound the token.
    new Date(signed),
  );
  if (!verification.ok) {
    const hint = verification.fault === 'WrongSignature' ? ` or the token is not for the cluster ${cluster}` : '';
    return { refusal: `${verification.fault}${hint}` };
  }
  if (verification.scope.service !== 'sts') return { refusal: `the token is signed for ${verification.scope.service}` };
  const credential = credentials.find(verification.scope.accessKeyId);
  if (!credential) return { refusal: 'UnknownAccessKey' };
  if (credential.expiresAt && credential.expiresAt.getTime() <= now.getTime()) {
    return { refusal: `the access key expired at ${credential.expiresAt.toISOString()}` };
  }
  const callerArn = credential.principalArn;
  if (callerArn.split(':')[4] !== accountId) return { refusal: `${callerArn} is not of the account ${accountId}` };
  return { principalArn: principalOf(callerArn), callerArn };
};
