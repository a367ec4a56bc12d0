import { buildQueryString, HttpRequest } from '@smithy/core/protocols';
import { Hash } from '@smithy/core/serde';
import { SignatureV4 } from '@smithy/signature-v4';

/** AWS credentials, or what fetches them: a client's `config.credentials`. */
export interface AwsCredentials {
  readonly accessKeyId: string;
  readonly secretAccessKey: string;
  readonly sessionToken?: string | undefined;
}

export type AwsCredentialProvider = () => Promise<AwsCredentials>;

export interface TokenOptions {
  readonly cluster: string;
  /** Region of the cluster: its STS answers. */
  readonly region: string;
  readonly credentials: AwsCredentialProvider;
  /** Where STS is when it is not AWS's: AWS_ENDPOINT_URL_STS, AWS_ENDPOINT_URL. */
  readonly stsEndpoint?: string | undefined;
  readonly now?: () => Date;
}

/** The header that binds a token to one cluster: a token for another cluster is refused. */
const clusterHeader = 'x-k8s-aws-id';

/**
 * A bearer token that EKS takes: `k8s-aws-v1.` and the base64url of a presigned GetCallerIdentity, which the API server sends
 * to STS itself. It lives 15 minutes from its signing, whatever the 60 seconds in the URL say
 * (kubernetes-sigs/aws-iam-authenticator, pkg/token/token.go).
 */
export const eksToken = async (options: TokenOptions): Promise<string> => {
  const { cluster, region, credentials, now = () => new Date() } = options;
  const sts = new URL(options.stsEndpoint ?? `https://sts.${region}.amazonaws.com`);
  const signer = new SignatureV4({
    credentials: await credentials(),
    region,
    service: 'sts',
    sha256: Hash.bind(null, 'sha256'),
  });
  const signed = await signer.presign(
    new HttpRequest({
      protocol: sts.protocol,
      method: 'GET',
      hostname: sts.hostname,
      ...(sts.port === '' ? {} : { port: Number(sts.port) }),
      path: '/',
      headers: { host: sts.host, [clusterHeader]: cluster },
      query: { Action: 'GetCallerIdentity', Version: '2011-06-15' },
    }),
    { expiresIn: 60, signingDate: now() },
  );
  const url = `${sts.origin}/?${buildQueryString(signed.query ?? {})}`;
  return `k8s-aws-v1.${Buffer.from(url).toString('base64url')}`;
};

/** A token is used for ten of its fifteen minutes: a request under way, and a clock that is off, must not meet its end. */
const usedMillis = 600_000;

export interface Tokens {
  current(): Promise<string>;
  /** Forgets the token that the API refused; the next `current` signs another. */
  forget(token: string): void;
}

/** Signs a token when it is first needed and when the last one is ten minutes old. */
export const createTokens = (options: TokenOptions): Tokens => {
  const now = options.now ?? (() => new Date());
  let kept: { readonly token: Promise<string>; value?: string; readonly until: number } | undefined;
  return {
    current: () => {
      const millis = now().getTime();
      if (kept && millis < kept.until) return kept.token;
      const signing: NonNullable<typeof kept> = { token: eksToken(options), until: millis + usedMillis };
      kept = signing;
      signing.token.then(
        (value) => {
          signing.value = value;
        },
        () => {
          if (kept === signing) kept = undefined;
        },
      );
      return signing.token;
    },
    forget: (token) => {
      if (kept?.value === token) kept = undefined;
    },
  };
};
