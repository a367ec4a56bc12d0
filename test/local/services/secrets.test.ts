import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import {
  CreateSecretCommand,
  DeleteSecretCommand,
  DescribeSecretCommand,
  GetSecretValueCommand,
  type GetSecretValueCommandInput,
  InvalidNextTokenException,
  InvalidParameterException,
  InvalidRequestException,
  ListSecretsCommand,
  PutSecretValueCommand,
  ResourceExistsException,
  ResourceNotFoundException,
  RestoreSecretCommand,
  SecretsManagerClient,
  UpdateSecretCommand,
} from '@aws-sdk/client-secrets-manager';
import { describe, expect, test } from 'vitest';
import { createSecretsService } from '../../../local/services/secrets.ts';
import { accountId, region } from '../gateway/account.ts';
import { openEndpoint, temporary } from '../gateway/endpoint.ts';

const day = 86_400_000;
const token = (letter: string): string => letter.repeat(32);

const open = async (given?: string) => {
  const directory = given ?? (await temporary('secrets'));
  const clock = { now: Date.parse('2026-11-21T10:00:00Z') };
  const endpoint = await openEndpoint(() => [
    createSecretsService({ directory, region, accountId, now: () => clock.now }),
  ]);
  const client = new SecretsManagerClient(endpoint.config);
  const create = (Name: string, more: object = { SecretString: 'first' }) =>
    client.send(new CreateSecretCommand({ Name, ...more }));
  const get = (SecretId: string, more: Partial<GetSecretValueCommandInput> = {}) =>
    client.send(new GetSecretValueCommand({ SecretId, ...more }));
  const put = (SecretId: string, more: object) => client.send(new PutSecretValueCommand({ SecretId, ...more }));
  return { ...endpoint, directory, clock, client, create, get, put };
};

const refusal = (work: Promise<unknown>): Promise<Error> =>
  work.then(
    () => Promise.reject(new Error('it succeeded')),
    (error: Error) => error,
  );

describe('a secret', () => {
  test('is read by name, ARN and ARN without its random end', async () => {
    const { create, get, clock } = await open();
    const { ARN = '', VersionId } = await create('cell/app');
    expect(ARN).toMatch(new RegExp(`^arn:aws:secretsmanager:${region}:${accountId}:secret:cell/app-\\w{6}$`));
    for (const id of ['cell/app', ARN, ARN.slice(0, -7)]) {
      const value = await get(id);
      expect(value).toMatchObject({
        ARN,
        Name: 'cell/app',
        SecretString: 'first',
        VersionId,
        VersionStages: ['AWSCURRENT'],
      });
      expect(value.CreatedDate).toEqual(new Date(clock.now));
      expect(value.SecretBinary).toBeUndefined();
    }
  });

  test('may be bytes', async () => {
    const { create, get } = await open();
    const SecretBinary = Uint8Array.from([0, 1, 128, 255]);
    await create('bytes', { SecretBinary });
    const value = await get('bytes');
    expect([...(value.SecretBinary ?? [])]).toEqual([0, 1, 128, 255]);
    expect(value.SecretString).toBeUndefined();
  });

  test('survives a restart, and its value cannot be read in the file', async () => {
    const first = await open();
    await first.create('kept', { SecretString: 'correct horse battery staple' });
    await first.gateway.close();
    expect(readFileSync(join(first.directory, 'secrets.db')).includes('battery')).toBe(false);
    const second = await open(first.directory);
    expect((await second.get('kept')).SecretString).toBe('correct horse battery staple');
  });

  test('without a value, or unknown, has none to give', async () => {
    const { create, get } = await open();
    await create('empty', {});
    expect(await refusal(get('empty'))).toBeInstanceOf(ResourceNotFoundException);
    const unknown = await refusal(get('nobody'));
    expect(unknown).toBeInstanceOf(ResourceNotFoundException);
    expect(unknown.message).toContain('nobody');
  });

  test.each([
    ['a space in its name', 'a b', {}],
    ['two values', 'a', { SecretString: 's', SecretBinary: Uint8Array.from([1]) }],
    ['an empty value', 'a', { SecretString: '' }],
    ['a value over 64 KiB', 'a', { SecretString: 'x'.repeat(65_537) }],
    ['a short token', 'a', { SecretString: 's', ClientRequestToken: 'short' }],
  ])('is refused for %s and leaves nothing', async (_what, name, more) => {
    const { client, create } = await open();
    expect(await refusal(create(name, more))).toBeInstanceOf(InvalidParameterException);
    expect((await client.send(new ListSecretsCommand({}))).SecretList).toEqual([]);
  });

  test('is created once: the same token repeats the answer, anything else exists already', async () => {
    const { create } = await open();
    const request = { SecretString: 'first', ClientRequestToken: token('a') };
    const first = await create('once', request);
    expect(await create('once', request)).toMatchObject({ ARN: first.ARN, VersionId: token('a') });
    expect(await refusal(create('once', { ...request, SecretString: 'other' }))).toBeInstanceOf(
      ResourceExistsException,
    );
    expect(await refusal(create('once'))).toBeInstanceOf(ResourceExistsException);
  });
});

describe('a new version', () => {
  test('becomes current, the one before previous, the one before that loses its label', async () => {
    const { client, create, get, put } = await open();
    const { VersionId: first = '' } = await create('rotated');
    const { VersionId: second = '' } = await put('rotated', { SecretString: 'second' });
    await put('rotated', { SecretString: 'third' });
    expect((await get('rotated')).SecretString).toBe('third');
    expect((await get('rotated', { VersionStage: 'AWSPREVIOUS' })).SecretString).toBe('second');
    expect(await get('rotated', { VersionId: first })).toMatchObject({ SecretString: 'first', VersionStages: [] });
    const both = { VersionId: second, VersionStage: 'AWSPREVIOUS' };
    expect((await get('rotated', both)).SecretString).toBe('second');
    expect(await refusal(get('rotated', { ...both, VersionId: first }))).toBeInstanceOf(ResourceNotFoundException);
    const { VersionIdsToStages = {} } = await client.send(new DescribeSecretCommand({ SecretId: 'rotated' }));
    expect(VersionIdsToStages[second]).toEqual(['AWSPREVIOUS']);
    expect(Object.keys(VersionIdsToStages)).toHaveLength(2);
  });

  test('with a label of its own leaves the current one alone', async () => {
    const { create, get, put } = await open();
    await create('staged');
    const pending = await put('staged', { SecretString: 'next', VersionStages: ['AWSPENDING'] });
    expect(pending.VersionStages).toEqual(['AWSPENDING']);
    expect((await get('staged')).SecretString).toBe('first');
    expect((await get('staged', { VersionStage: 'AWSPENDING' })).SecretString).toBe('next');
  });

  test('is made once per token and refused under a token with another value', async () => {
    const { create, get, put } = await open();
    await create('retried');
    const request = { SecretString: 'second', ClientRequestToken: token('b') };
    await put('retried', request);
    await put('retried', { SecretString: 'third', ClientRequestToken: token('c') });
    expect(await put('retried', request)).toMatchObject({ VersionId: token('b') });
    expect((await get('retried')).SecretString).toBe('third');
    expect(await refusal(put('retried', { ...request, SecretString: 'x' }))).toBeInstanceOf(ResourceExistsException);
    expect(await refusal(put('retried', {}))).toBeInstanceOf(InvalidRequestException);
  });

  test('comes with an update, or does not', async () => {
    const { client, create, get, clock } = await open();
    await create('updated', { SecretString: 'first', Description: 'old' });
    clock.now += day;
    const plain = await client.send(new UpdateSecretCommand({ SecretId: 'updated', Description: 'new' }));
    expect(plain.VersionId).toBeUndefined();
    const valued = await client.send(new UpdateSecretCommand({ SecretId: 'updated', SecretString: 'second' }));
    expect((await get('updated')).VersionId).toBe(valued.VersionId);
    expect(await client.send(new DescribeSecretCommand({ SecretId: 'updated' }))).toMatchObject({
      Description: 'new',
      LastChangedDate: new Date(clock.now),
      CreatedDate: new Date(clock.now - day),
      LastAccessedDate: new Date('2026-11-22T00:00:00Z'),
    });
  });

  test('beyond the newest hundred without a label is dropped', async () => {
    const { create, get, put, clock } = await open();
    const { VersionId: first } = await create('busy');
    const ids: string[] = [];
    for (let version = 0; version < 103; version += 1) {
      clock.now += 1;
      ids.push((await put('busy', { SecretString: `v${version}` })).VersionId ?? '');
    }
    expect(await refusal(get('busy', { VersionId: first }))).toBeInstanceOf(ResourceNotFoundException);
    expect((await get('busy', { VersionId: ids[1] })).SecretString).toBe('v1');
  });
});

describe('deletion', () => {
  test('waits for the recovery window, in which only restoring helps', async () => {
    const { client, create, get, put, clock } = await open();
    await create('dying');
    const deletion = await client.send(new DeleteSecretCommand({ SecretId: 'dying', RecoveryWindowInDays: 7 }));
    expect(deletion.DeletionDate).toEqual(new Date(clock.now + 7 * day));
    expect(await refusal(get('dying'))).toBeInstanceOf(InvalidRequestException);
    expect(await refusal(put('dying', { SecretString: 'x' }))).toBeInstanceOf(InvalidRequestException);
    expect(await refusal(create('dying'))).toBeInstanceOf(InvalidRequestException);
    const described = await client.send(new DescribeSecretCommand({ SecretId: 'dying' }));
    expect(described.DeletedDate).toEqual(new Date(clock.now));
    await client.send(new RestoreSecretCommand({ SecretId: 'dying' }));
    expect((await get('dying')).SecretString).toBe('first');
  });

  test('is final after the window', async () => {
    const { client, create, get, clock } = await open();
    const { ARN } = await create('gone');
    await client.send(new DeleteSecretCommand({ SecretId: 'gone' }));
    clock.now += 30 * day;
    expect(await refusal(client.send(new RestoreSecretCommand({ SecretId: 'gone' })))).toBeInstanceOf(
      ResourceNotFoundException,
    );
    expect((await create('gone', { SecretString: 'anew' })).ARN).not.toBe(ARN);
    expect((await get('gone')).SecretString).toBe('anew');
  });

  test('by force is immediate and may be repeated', async () => {
    const { client, create, get } = await open();
    await create('forced');
    const force = new DeleteSecretCommand({ SecretId: 'forced', ForceDeleteWithoutRecovery: true });
    await client.send(force);
    expect(await refusal(get('forced'))).toBeInstanceOf(ResourceNotFoundException);
    expect(await client.send(force)).toMatchObject({ Name: 'forced' });
    expect(await refusal(client.send(new DeleteSecretCommand({ SecretId: 'forced' })))).toBeInstanceOf(
      ResourceNotFoundException,
    );
  });

  test.each([
    ['a short window', { RecoveryWindowInDays: 6 }],
    ['a long window', { RecoveryWindowInDays: 31 }],
    ['force and a window', { RecoveryWindowInDays: 7, ForceDeleteWithoutRecovery: true }],
  ])('is refused with %s', async (_what, more) => {
    const { client, create, get } = await open();
    await create('spared');
    const error = await refusal(client.send(new DeleteSecretCommand({ SecretId: 'spared', ...more })));
    expect(error).toBeInstanceOf(InvalidParameterException);
    expect((await get('spared')).SecretString).toBe('first');
  });
});

test('secrets are listed in pages and filtered, the dying only when asked for', async () => {
  const { client, create } = await open();
  await create('cell/app', { SecretString: 's', Tags: [{ Key: 'role', Value: 'app' }] });
  await create('cell/backup', { SecretString: 's', Description: 'reads all' });
  await create('other');
  await client.send(new DeleteSecretCommand({ SecretId: 'other' }));
  const names = async (input: object): Promise<(string | undefined)[] | undefined> =>
    (await client.send(new ListSecretsCommand(input))).SecretList?.map(({ Name }) => Name);
  expect(await names({})).toEqual(['cell/app', 'cell/backup']);
  expect(await names({ IncludePlannedDeletion: true, SortOrder: 'desc' })).toEqual([
    'other',
    'cell/backup',
    'cell/app',
  ]);
  expect(await names({ Filters: [{ Key: 'name', Values: ['cell/b'] }] })).toEqual(['cell/backup']);
  expect(await names({ Filters: [{ Key: 'name', Values: ['!cell/b'] }] })).toEqual(['cell/app']);
  expect(await names({ Filters: [{ Key: 'tag-key', Values: ['role'] }] })).toEqual(['cell/app']);
  expect(await names({ Filters: [{ Key: 'all', Values: ['reads'] }] })).toEqual(['cell/backup']);
  const first = await client.send(new ListSecretsCommand({ MaxResults: 1 }));
  const second = await client.send(new ListSecretsCommand({ MaxResults: 1, NextToken: first.NextToken }));
  expect([first, second].map(({ SecretList }) => SecretList?.[0]?.Name)).toEqual(['cell/app', 'cell/backup']);
  expect(second.NextToken).toBeUndefined();
  expect(await refusal(names({ NextToken: 'bm9uZQ' }))).toBeInstanceOf(InvalidNextTokenException);
  expect(await refusal(names({ MaxResults: 101 }))).toBeInstanceOf(InvalidParameterException);
});
