import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import { createTokens, eksToken } from '../../../adapters/cluster/token.ts';
import { openCredentialStore } from '../../../local/gateway/credentials.ts';
import { verifyEksToken } from '../../../local/kubernetes/token.ts';

const credentials = async () => ({ accessKeyId: 'AKIAEXAMPLE', secretAccessKey: 'secret', sessionToken: 'session' });
const options = { cluster: 'shared', region: 'eu-central-1', credentials };

const urlOf = (token: string): URL => {
  expect(token).toMatch(/^k8s-aws-v1\.[A-Za-z0-9_-]+$/);
  return new URL(Buffer.from(token.slice('k8s-aws-v1.'.length), 'base64url').toString());
};

test('a token is a GetCallerIdentity signed for one cluster, in the form that EKS verifies', async () => {
  const now = () => new Date('2026-11-27T04:00:00Z');
  const url = urlOf(await eksToken({ ...options, now }));
  expect(url.origin).toBe('https://sts.eu-central-1.amazonaws.com');
  expect(Object.fromEntries(url.searchParams)).toMatchObject({
    Action: 'GetCallerIdentity',
    Version: '2011-06-15',
    'X-Amz-Algorithm': 'AWS4-HMAC-SHA256',
    'X-Amz-Credential': 'AKIAEXAMPLE/20261127/eu-central-1/sts/aws4_request',
    'X-Amz-Date': '20261127T040000Z',
    'X-Amz-Expires': '60',
    'X-Amz-Security-Token': 'session',
    'X-Amz-SignedHeaders': 'host;x-k8s-aws-id',
    'X-Amz-Signature': expect.stringMatching(/^[0-9a-f]{64}$/),
  });
  // aws-iam-authenticator refuses every parameter that it does not know, the cluster's name among them.
  expect([...url.searchParams.keys()].map((key) => key.toLowerCase())).not.toContain('x-k8s-aws-id');
  expect(url.href.length).toBeLessThan(4_096);
  const other = urlOf(await eksToken({ ...options, cluster: 'other', now }));
  expect(other.searchParams.get('X-Amz-Signature')).not.toBe(url.searchParams.get('X-Amz-Signature'));
});

test('on the laptop the token names the STS of the laptop', async () => {
  const url = urlOf(await eksToken({ ...options, stsEndpoint: 'http://127.0.0.1:4566' }));
  expect(url.origin).toBe('http://127.0.0.1:4566');
  expect(url.searchParams.get('X-Amz-SignedHeaders')).toBe('host;x-k8s-aws-id');
});

test('the verifier of the laptop, which checks what EKS checks, takes the token for its cluster and for no other', async () => {
  const directory = mkdtempSync(join(tmpdir(), 'tenantry-token-'));
  onTestFinished(() => rmSync(directory, { recursive: true }));
  const accountId = '000000000000';
  const store = openCredentialStore({
    file: join(directory, 'credentials.json'),
    accountId,
    accessKeyId: 'AKIATESTTESTTESTTEST',
    secretAccessKey: 'test-secret',
  });
  const session = store.mint(`arn:aws:sts::${accountId}:assumed-role/steps/deploy`, 900);
  const now = new Date();
  const token = await eksToken({ ...options, credentials: async () => session, now: () => now });
  const context = { credentials: store, accountId };
  expect(verifyEksToken(token, { ...context, cluster: 'shared', now })).toMatchObject({
    principalArn: `arn:aws:iam::${accountId}:role/steps`,
  });
  expect(verifyEksToken(token, { ...context, cluster: 'other', now })).toMatchObject({
    refusal: expect.stringContaining('not for the cluster other'),
  });
  const aged = (minutes: number) =>
    verifyEksToken(token, { ...context, cluster: 'shared', now: new Date(now.getTime() + minutes * 60_000) });
  expect(aged(14)).toHaveProperty('principalArn');
  expect(aged(16)).toHaveProperty('refusal');
});

test('one token serves for ten minutes, and a refused one not a moment longer', async () => {
  let millis = Date.parse('2026-11-27T04:00:00Z');
  const tokens = createTokens({ ...options, now: () => new Date(millis) });
  const first = await tokens.current();
  millis += 599_999;
  expect(await tokens.current()).toBe(first);
  millis += 1;
  const second = await tokens.current();
  expect(second).not.toBe(first);
  tokens.forget(first);
  expect(await tokens.current()).toBe(second);
  millis += 1_000;
  tokens.forget(second);
  expect(await tokens.current()).not.toBe(second);
});

test('credentials that could not be had are asked for again', async () => {
  let asked = 0;
  const tokens = createTokens({
    ...options,
    credentials: async () => {
      asked += 1;
      if (asked === 1) throw new Error('no credentials now');
      return credentials();
    },
  });
  await expect(tokens.current()).rejects.toThrow('no credentials now');
  expect(await tokens.current()).toMatch(/^k8s-aws-v1/);
});
