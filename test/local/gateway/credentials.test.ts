import { statSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { openCredentialStore } from '../../../local/gateway/credentials.ts';
import { accountId, rootKey } from './account.ts';
import { temporary } from './endpoint.ts';

const open = (directory: string) =>
  openCredentialStore({ file: join(directory, 'keys', 'credentials.json'), accountId, ...rootKey });

test('the root key acts as the root of the account', async () => {
  const store = open(await temporary('credentials'));
  expect(store.find(rootKey.accessKeyId)).toMatchObject({ principalArn: `arn:aws:iam::${accountId}:root` });
  expect(store.find('AKIASOMEBODYELSE0000')).toBeUndefined();
});

test('a temporary key is found again after a restart, in a file that only its owner reads', async () => {
  const directory = await temporary('credentials');
  const minted = open(directory).mint('arn:aws:sts::000000000000:assumed-role/reader/me', 900);
  expect(minted.accessKeyId).toMatch(/^ASIA[A-Z2-7]{16}$/);
  expect(minted.expiresAt.getTime()).toBeGreaterThan(Date.now() + 890_000);
  expect(open(directory).find(minted.accessKeyId)).toEqual(minted);
  expect(statSync(join(directory, 'keys', 'credentials.json')).mode & 0o777).toBe(0o600);
});

test('a key that expired long ago is forgotten when the next one is minted, a fresh one is not', async () => {
  const store = open(await temporary('credentials'));
  const old = store.mint('arn:aws:sts::000000000000:assumed-role/reader/old', -90_000);
  const expired = store.mint('arn:aws:sts::000000000000:assumed-role/reader/expired', -60);
  store.mint('arn:aws:sts::000000000000:assumed-role/reader/new', 60);
  expect(store.find(old.accessKeyId)).toBeUndefined();
  expect(store.find(expired.accessKeyId)).toEqual(expired);
});
