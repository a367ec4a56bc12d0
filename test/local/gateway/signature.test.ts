import { extendedEncodeURIComponent } from '@smithy/core/protocols';
import { Hash } from '@smithy/core/serde';
import { SignatureV4 } from '@smithy/signature-v4';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import type { SignedRequest } from '../../../local/gateway/canonical-request.ts';
import {
  credentialScope,
  deriveSigningKey,
  type SigningSecret,
  sha256,
  verifySignature,
} from '../../../local/gateway/signature.ts';

/** The example keys of AWS's documentation. */
const exampleKey = 'AKIAIOSFODNN7EXAMPLE';
const exampleSecret = 'wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY';
const known =
  (secret: Partial<SigningSecret> = {}) =>
  (accessKeyId: string): SigningSecret | undefined =>
    accessKeyId === exampleKey ? { secretAccessKey: exampleSecret, ...secret } : undefined;

/** https://docs.aws.amazon.com/AmazonS3/latest/API/sig-v4-header-based-auth.html, "GET Object". */
const s3Get: SignedRequest = {
  method: 'GET',
  url: '/test.txt',
  headers: {
    host: 'examplebucket.s3.amazonaws.com',
    range: 'bytes=0-9',
    'x-amz-date': '20130524T000000Z',
    'x-amz-content-sha256': 'e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855',
    authorization:
      'AWS4-HMAC-SHA256 Credential=AKIAIOSFODNN7EXAMPLE/20130524/us-east-1/s3/aws4_request,SignedHeaders=host;range;x-amz-content-sha256;x-amz-date,Signature=f0e8bdb87c964420e857bd35b5d6ed310bd44f0170aba48dd91039c6036bdb41',
  },
  payloadHash: 'e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855',
};
const s3Time = new Date('2013-05-24T00:00:00Z');

/** https://docs.aws.amazon.com/AmazonS3/latest/API/sigv4-query-string-auth.html */
const presigned: SignedRequest = {
  method: 'GET',
  url: '/test.txt?X-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-Credential=AKIAIOSFODNN7EXAMPLE%2F20130524%2Fus-east-1%2Fs3%2Faws4_request&X-Amz-Date=20130524T000000Z&X-Amz-Expires=86400&X-Amz-SignedHeaders=host&X-Amz-Signature=aeeed9bbccd4d02ee5c0109b86d86835f995330da4c265957d157751f604d404',
  headers: { host: 'examplebucket.s3.amazonaws.com' },
  payloadHash: 'UNSIGNED-PAYLOAD',
};

const later = (start: Date, seconds: number): Date => new Date(start.getTime() + seconds * 1000);

describe('a signature', () => {
  test('of the documentation is accepted and tells its scope, seed and key', () => {
    const verified = verifySignature(s3Get, known(), s3Time);
    expect(verified).toMatchObject({
      ok: true,
      presigned: false,
      timestamp: '20130524T000000Z',
      scope: { accessKeyId: exampleKey, date: '20130524', region: 'us-east-1', service: 's3' },
      signature: 'f0e8bdb87c964420e857bd35b5d6ed310bd44f0170aba48dd91039c6036bdb41',
    });
    const key = deriveSigningKey(exampleSecret, { date: '20130524', region: 'us-east-1', service: 's3' });
    expect(verified.ok && verified.signingKey.export().equals(key)).toBe(true);
  });

  test('has the signing key that the documentation gives', () => {
    const key = deriveSigningKey('wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY', {
      date: '20150830',
      region: 'us-east-1',
      service: 'iam',
    });
    expect(key.toString('hex')).toBe('c4afb1cc5771d871763a393e44b703571b55cc28424d1a5e86da6ed3c154a4b9');
  });

  test('presigned in the documentation is accepted until it expires', () => {
    expect(verifySignature(presigned, known(), later(s3Time, 86_400))).toMatchObject({ ok: true, presigned: true });
    expect(verifySignature(presigned, known(), later(s3Time, 86_401))).toMatchObject({
      ok: false,
      fault: 'ExpiredPresign',
    });
  });

  test.each([
    ['the method', { method: 'PUT' }],
    ['the path', { url: '/other.txt' }],
    ['the query', { url: '/test.txt?acl' }],
    ['a signed header', { headers: { ...s3Get.headers, range: 'bytes=0-99' } }],
    ['the body', { payloadHash: sha256('tampered') }],
  ])('is refused when %s was changed', (_what, change) => {
    expect(verifySignature({ ...s3Get, ...change }, known(), s3Time)).toMatchObject({
      ok: false,
      fault: 'WrongSignature',
    });
  });

  test.each(['0', 'zz', '%00', 'a'.repeat(64)])('with %s behind it is refused', (tail) => {
    expect(verifySignature({ ...presigned, url: presigned.url + tail }, known(), later(s3Time, 60))).toMatchObject({
      fault: 'WrongSignature',
    });
  });

  test('is refused when an x-amz header was added that it does not cover', () => {
    const headers = { ...s3Get.headers, 'x-amz-acl': 'public-read' };
    expect(verifySignature({ ...s3Get, headers }, known(), s3Time)).toMatchObject({
      fault: 'WrongSignature',
      message: expect.stringContaining('x-amz-acl'),
    });
  });

  test('under another secret is refused and the canonical request is told', () => {
    const verified = verifySignature(s3Get, known({ secretAccessKey: 'other' }), s3Time);
    expect(verified).toMatchObject({ fault: 'WrongSignature', message: expect.stringContaining('GET\n/test.txt') });
  });

  test.each([
    [900, true],
    [-900, true],
    [901, false],
    [-901, false],
  ])('for S3 is judged at %i seconds of clock difference: %s', (seconds, ok) => {
    expect(verifySignature(s3Get, known(), later(s3Time, seconds)).ok).toBe(ok);
  });

  test('by an unknown key names the key', () => {
    const verified = verifySignature(s3Get, () => undefined, s3Time);
    expect(verified).toMatchObject({ fault: 'UnknownAccessKey', message: expect.stringContaining(exampleKey) });
  });

  test('by a temporary key needs the session token and ends with it', () => {
    const temporary = { sessionToken: 'token', expiresAt: later(s3Time, 60) };
    expect(verifySignature(s3Get, known(temporary), s3Time)).toMatchObject({ fault: 'WrongSessionToken' });
    const url = `${presigned.url}&X-Amz-Security-Token=token`;
    expect(verifySignature({ ...presigned, url }, known(temporary), later(s3Time, 60))).toMatchObject({
      fault: 'ExpiredSessionToken',
    });
    expect(verifySignature({ ...presigned, url }, known(), s3Time)).toMatchObject({ fault: 'WrongSessionToken' });
  });

  test.each([
    ['AWS4-ECDSA-P256-SHA256 Credential=x', 'AWS4-HMAC-SHA256'],
    ['AWS4-HMAC-SHA256 Credential=key/20130524/us-east-1/s3, SignedHeaders=host, Signature=00', 'aws4_request'],
  ])('header %s is refused as malformed', (authorization, hint) => {
    const verified = verifySignature({ ...s3Get, headers: { ...s3Get.headers, authorization } }, known(), s3Time);
    expect(verified).toMatchObject({ fault: 'MalformedSignature', message: expect.stringContaining(hint) });
  });

  test.each(['0', '604801', 'soon'])('presigned for %s seconds is refused', (expires) => {
    const url = presigned.url.replace('Expires=86400', `Expires=${expires}`);
    expect(verifySignature({ ...presigned, url }, known(), s3Time)).toMatchObject({ fault: 'MalformedSignature' });
  });

  test('is absent from a plain request', () => {
    const plain = { method: 'GET', url: '/?a=b', headers: { host: 'x' }, payloadHash: sha256('') };
    expect(verifySignature(plain, known(), s3Time)).toMatchObject({ fault: 'MissingSignature' });
    expect(credentialScope(plain.url, plain.headers)).toBeUndefined();
    expect(credentialScope('/', { authorization: 'Bearer abc' })).toBeUndefined();
    expect(credentialScope(presigned.url, {})).toMatchObject({ service: 's3' });
  });
});

describe('a request signed by the SDK', () => {
  const text = fc.string({ unit: 'grapheme', maxLength: 12 });
  /** Paths as the SDK's serializers write them. */
  const segment = text.map(extendedEncodeURIComponent).filter((part) => part !== '' && !/^\.+$/.test(part));

  test.each(['s3', 'lambda'])('for %s is accepted whatever its path, query, headers and body are', async (service) => {
    const signer = new SignatureV4({
      service,
      region: 'eu-central-1',
      credentials: { accessKeyId: exampleKey, secretAccessKey: exampleSecret, sessionToken: 'token' },
      sha256: Hash.bind(null, 'sha256'),
      uriEscapePath: service !== 's3',
      applyChecksum: true,
    });
    const property = fc.asyncProperty(
      fc.array(segment, { maxLength: 4 }),
      fc.dictionary(
        text.filter((name) => name !== '' && name !== '__proto__' && !/^x-amz-/i.test(name)),
        text,
        { maxKeys: 4 },
      ),
      fc.string({ maxLength: 20 }).map((value) => value.replace(/[^ -~]/g, '')),
      text,
      async (segments, query, header, body) => {
        const path = `/${segments.join('/')}`;
        const signed = await signer.sign(
          {
            method: 'POST',
            protocol: 'http:',
            hostname: 'h',
            path,
            query,
            headers: { host: 'h', 'x-note': header },
            body,
          },
          { signingDate: s3Time },
        );
        const pairs = Object.entries(query).map((pair) => pair.map(encodeURIComponent).join('='));
        const url = pairs.length > 0 ? `${path}?${pairs.join('&')}` : path;
        const request = { method: 'POST', url, headers: signed.headers, payloadHash: sha256(body) };
        expect(verifySignature(request, known({ sessionToken: 'token' }), s3Time)).toMatchObject({ ok: true });
      },
    );
    await fc.assert(property, { numRuns: 200 });
  });
});
