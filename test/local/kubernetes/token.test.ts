import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, expect, test } from 'vitest';
import { eksToken } from '../../../adapters/cluster/token.ts';
import { openCredentialStore } from '../../../local/gateway/credentials.ts';
import { presignToken } from '../../../local/kubernetes/presigned-token.ts';
import { principalOf, verifyEksToken } from '../../../local/kubernetes/token.ts';
import { accountId, region, rootKey } from '../gateway/account.ts';

const directory = mkdtempSync(join(tmpdir(), 'tenantry-token-'));
const credentials = openCredentialStore({ file: join(directory, 'credentials.json'), accountId, ...rootKey });
afterAll(() => rmSync(directory, { recursive: true, force: true }));

const stsEndpoint = 'http://127.0.0.1:4566';
const now = new Date('2026-11-27T05:00:00Z');
const sign = (options: Partial<Parameters<typeof presignToken>[0]> = {}): string =>
  presignToken({ cluster: 'shared', region, keys: rootKey, stsEndpoint, now, ...options }).token;
const verify = (token: string, options: Partial<Parameters<typeof verifyEksToken>[1]> = {}) =>
  verifyEksToken(token, { cluster: 'shared', credentials, accountId, now, ...options });

const url = (token: string): URL => new URL(Buffer.from(token.slice('k8s-aws-v1.'.length), 'base64url').toString());
const tokenOf = (address: URL | string): string => `k8s-aws-v1.${Buffer.from(String(address)).toString('base64url')}`;

test('a token of the laptop names its signer, as one of the AWS SDK does', async () => {
  const root = { principalArn: `arn:aws:iam::${accountId}:root` };
  expect(verify(sign())).toMatchObject(root);
  const options = { cluster: 'shared', region, credentials: async () => rootKey, now: () => now };
  expect(verify(await eksToken({ ...options, stsEndpoint }))).toMatchObject(root);
  expect(verify(await eksToken(options))).toMatchObject(root);
});

test('the SDK signs the same token from the same key', async () => {
  const theirs = await eksToken({
    cluster: 'shared',
    region,
    credentials: async () => rootKey,
    stsEndpoint,
    now: () => now,
  });
  const parameters = (token: string) => Object.fromEntries(url(token).searchParams);
  const { 'X-Amz-Content-Sha256': _, ...expected } = parameters(theirs);
  expect(Object.keys(parameters(sign())).sort()).toEqual(Object.keys(expected).sort());
  expect(parameters(sign())['X-Amz-Signature']).toBe(expected['X-Amz-Signature']);
});

test('a session acts as its role, until it expires', () => {
  const arn = `arn:aws:sts::${accountId}:assumed-role/steps/deploy`;
  const session = credentials.mint(arn, 900);
  const signed = new Date();
  const token = sign({ keys: session, now: signed });
  expect(verify(token, { now: signed })).toEqual({
    principalArn: `arn:aws:iam::${accountId}:role/steps`,
    callerArn: arn,
  });
  expect(verify(sign({ keys: { ...session, sessionToken: 'other' }, now: signed }), { now: signed })).toEqual({
    refusal: 'WrongSessionToken',
  });
  const after = (seconds: number): Date => new Date(signed.getTime() + seconds * 1000);
  const last = sign({ keys: session, now: after(890) });
  expect(verify(last, { now: after(895) })).toHaveProperty('principalArn');
  expect(verify(last, { now: after(901) })).toMatchObject({
    refusal: expect.stringContaining('the access key expired at'),
  });
  expect(verify(sign({ keys: session, now: after(901) }), { now: after(901) })).toEqual({
    refusal: 'ExpiredSessionToken',
  });
  expect(principalOf(`arn:aws:iam::${accountId}:user/eve`)).toBe(`arn:aws:iam::${accountId}:user/eve`);
});

test('a token lives 15 minutes from its signing, whatever its URL says', () => {
  const at = (minutes: number) => verify(sign(), { now: new Date(now.getTime() + minutes * 60_000) });
  expect(at(14.9)).toHaveProperty('principalArn');
  expect(at(15.1)).toMatchObject({ refusal: expect.stringContaining('over 15 minutes ago') });
  expect(at(-4)).toHaveProperty('principalArn');
  expect(at(-6)).toMatchObject({ refusal: expect.stringContaining('which is not yet') });
});

test('a token for another cluster, key or account is refused', () => {
  expect(verify(sign({ cluster: 'other' }))).toMatchObject({
    refusal: 'WrongSignature or the token is not for the cluster shared',
  });
  expect(verify(sign({ keys: { ...rootKey, secretAccessKey: 'guessed' } }))).toMatchObject({
    refusal: expect.stringContaining('WrongSignature'),
  });
  expect(verify(sign({ keys: { ...rootKey, accessKeyId: 'AKIASTRANGER' } }))).toEqual({ refusal: 'UnknownAccessKey' });
  expect(verify(sign(), { accountId: '111111111111' })).toMatchObject({
    refusal: expect.stringContaining('not of the account'),
  });
});

test.each([
  ['k8s-aws-v2.abc', 'does not begin with'],
  [`k8s-aws-v1.${'a'.repeat(4_096)}`, '4096 are the most'],
  ['k8s-aws-v1.a b', 'no base64url'],
  [tokenOf('no url'), 'holds no URL'],
  [tokenOf('https://evil.example/?Action=GetCallerIdentity'), 'which is no STS'],
  [tokenOf('http://sts.eu-central-1.amazonaws.com/?Action=GetCallerIdentity'), 'which is no STS'],
  [tokenOf('https://sts.amazonaws.com/x?Action=GetCallerIdentity'), 'has the path /x'],
])('what is no token is refused: %#', (token, refusal) => {
  expect(verify(token)).toMatchObject({ refusal: expect.stringContaining(refusal) });
});

test.each<[string, (parameters: URLSearchParams) => void, string]>([
  ['another action', (query) => query.set('Action', 'AssumeRole'), 'signed for AssumeRole'],
  ['a header that is not signed', (query) => query.set('X-Amz-SignedHeaders', 'host'), 'not bound to a cluster'],
  ['a parameter that is not known', (query) => query.set('Policy', '{}'), 'has the parameter policy'],
  ['a parameter twice', (query) => query.append('action', 'GetCallerIdentity'), 'has a parameter twice'],
  ['too long a life', (query) => query.set('X-Amz-Expires', '901'), 'X-Amz-Expires must be'],
  ['no date', (query) => query.delete('X-Amz-Date'), 'X-Amz-Date is'],
  ['another date', (query) => query.set('X-Amz-Date', '20261127T045900Z'), 'WrongSignature'],
])('%s is refused', (_, change, refusal) => {
  const address = url(sign());
  change(address.searchParams);
  expect(verify(tokenOf(address))).toMatchObject({ refusal: expect.stringContaining(refusal) });
});
