import { type SignatureFault, type SigningSecret, verifySignature } from '../gateway/signature.ts';
import { type ErrorCode, s3Error } from './errors.ts';
import type { Payload } from './payload.ts';
import type { S3Request } from './request.ts';

/** Access keys as this S3 needs them; `principalArn` names who signed. */
export interface CredentialLookup {
  lookup(accessKeyId: string): (SigningSecret & { readonly principalArn: string }) | undefined;
}

/** What S3 answers to each fault of a signature. */
const codes = {
  MissingSignature: 'AccessDenied',
  MalformedSignature: 'AuthorizationHeaderMalformed',
  UnknownAccessKey: 'InvalidAccessKeyId',
  WrongSessionToken: 'InvalidToken',
  ExpiredSessionToken: 'ExpiredToken',
  ClockSkew: 'RequestTimeTooSkewed',
  ExpiredPresign: 'AccessDenied',
  WrongSignature: 'SignatureDoesNotMatch',
} as const satisfies Record<SignatureFault, ErrorCode>;

const streaming: ReadonlyMap<string, { signed: boolean; trailer: boolean }> = new Map([
  ['STREAMING-AWS4-HMAC-SHA256-PAYLOAD', { signed: true, trailer: false }],
  ['STREAMING-AWS4-HMAC-SHA256-PAYLOAD-TRAILER', { signed: true, trailer: true }],
  ['STREAMING-UNSIGNED-PAYLOAD-TRAILER', { signed: false, trailer: false }],
]);

/** Version 2, which `aws s3 presign` still writes by default in us-east-1; AWS answers it so in every newer region. */
const refuseVersion2 = ({ headers, query }: S3Request): void => {
  if (!headers.authorization?.startsWith('AWS ') && !query.has('AWSAccessKeyId')) return;
  throw s3Error(
    'InvalidRequest',
    'The authorization mechanism you have provided is not supported. Please use AWS4-HMAC-SHA256 (signature_version = s3v4).',
  );
};

/**
 * Verifies the signature of a request, in its header or presigned, and answers how its body is framed and covered.
 * Throws AccessDenied, SignatureDoesNotMatch, InvalidAccessKeyId and the others above.
 */
export const authenticate = (request: S3Request, credentials: CredentialLookup, now: Date): Payload => {
  refuseVersion2(request);
  const { method, url, message, headers } = request;
  const payloadHash = headers['x-amz-content-sha256'] ?? 'UNSIGNED-PAYLOAD';
  const verified = verifySignature(
    { method, url, headers: message.headers, payloadHash },
    (accessKeyId) => credentials.lookup(accessKeyId),
    now,
  );
  if (!verified.ok) {
    const presigned = request.query.has('X-Amz-Credential') || request.query.has('X-Amz-Signature');
    const malformed = presigned && verified.fault === 'MalformedSignature';
    throw s3Error(malformed ? 'AuthorizationQueryParametersError' : codes[verified.fault], verified.message);
  }
  const framing = streaming.get(payloadHash);
  if (framing) {
    const { date, region, service } = verified.scope;
    const { signingKey, timestamp, signature: seed } = verified;
    const signer = { signingKey, timestamp, seed, scope: `${date}/${region}/${service}/aws4_request` };
    return { chunked: true, signer: framing.signed ? signer : undefined, signedTrailer: framing.trailer };
  }
  if (/^[0-9a-f]{64}$/.test(payloadHash)) return { chunked: false, sha256: payloadHash };
  if (payloadHash === 'UNSIGNED-PAYLOAD') return { chunked: false, sha256: undefined };
  if (payloadHash.startsWith('STREAMING-')) {
    throw s3Error('NotImplemented', `The payload signature ${payloadHash} is not implemented.`);
  }
  throw s3Error(
    'InvalidRequest',
    `x-amz-content-sha256 is "${payloadHash}"; give the hex SHA-256 of the body, UNSIGNED-PAYLOAD or a STREAMING- value.`,
  );
};
