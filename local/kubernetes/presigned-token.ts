import { createHmac } from 'node:crypto';
import { canonicalRequest } from '../gateway/canonical-request.ts';
import { deriveSigningKey, sha256 } from '../gateway/signature.ts';

export interface TokenKeys {
  readonly accessKeyId: string;
  readonly secretAccessKey: string;
  readonly sessionToken?: string;
}

/** How long clients may keep a token: EKS takes it for 15 minutes, and clocks differ. */
const keptMillis = 14 * 60_000;

/**
 * An EKS bearer token, `k8s-aws-v1.` and a presigned GetCallerIdentity that is bound to the cluster. Signed with the
 * gateway's own functions: kubectl starts a process for it, and the SDK's signer alone would take most of its time.
 * `stsEndpoint` is the origin that the URL names; nothing is asked.
 */
export const presignToken = (options: {
  cluster: string;
  region: string;
  keys: TokenKeys;
  stsEndpoint: string;
  now: Date;
}): { token: string; expiresAt: Date } => {
  const { cluster, region, keys, stsEndpoint, now } = options;
  const { origin, host } = new URL(stsEndpoint);
  const timestamp = now.toISOString().replace(/[-:]|\.\d+/g, '');
  const scope = { date: timestamp.slice(0, 8), region, service: 'sts' };
  const scopeText = `${scope.date}/${region}/sts/aws4_request`;
  const query = new URLSearchParams({
    Action: 'GetCallerIdentity',
    Version: '2011-06-15',
    'X-Amz-Algorithm': 'AWS4-HMAC-SHA256',
    'X-Amz-Credential': `${keys.accessKeyId}/${scopeText}`,
    'X-Amz-Date': timestamp,
    'X-Amz-Expires': '60',
    'X-Amz-SignedHeaders': 'host;x-k8s-aws-id',
    ...(keys.sessionToken ? { 'X-Amz-Security-Token': keys.sessionToken } : {}),
  });
  const request = {
    method: 'GET',
    url: `/?${query}`,
    headers: { host, 'x-k8s-aws-id': cluster },
    payloadHash: sha256(''),
  };
  const canonical = canonicalRequest(request, 'sts', ['host', 'x-k8s-aws-id']);
  const signature = createHmac('sha256', deriveSigningKey(keys.secretAccessKey, scope))
    .update(['AWS4-HMAC-SHA256', timestamp, scopeText, sha256(canonical)].join('\n'))
    .digest('hex');
  const url = `${origin}/?${query}&X-Amz-Signature=${signature}`;
  return {
    token: `k8s-aws-v1.${Buffer.from(url).toString('base64url')}`,
    expiresAt: new Date(now.getTime() + keptMillis),
  };
};
