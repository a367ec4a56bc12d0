import {
  AssumeRoleCommand,
  type AssumeRoleCommandInput,
  GetCallerIdentityCommand,
  MalformedPolicyDocumentException,
  STSClient,
} from '@aws-sdk/client-sts';
import { describe, expect, test } from 'vitest';
import { createStsService } from '../../../local/services/sts.ts';
import { accountId } from '../gateway/account.ts';
import { openEndpoint } from '../gateway/endpoint.ts';

const open = async () => {
  const { config } = await openEndpoint(({ credentials }) => [createStsService({ accountId, credentials })]);
  const assume = (client: STSClient, input: Partial<AssumeRoleCommandInput> = {}) =>
    client.send(
      new AssumeRoleCommand({
        RoleArn: `arn:aws:iam::${accountId}:role/ops/reader`,
        RoleSessionName: 'me@x',
        ...input,
      }),
    );
  const client = new STSClient(config);
  const refusal = (input: Partial<AssumeRoleCommandInput>, as = client) =>
    assume(as, input).then(
      () => Promise.reject(new Error('it succeeded')),
      (error: Error) => error,
    );
  return { config, client, assume, refusal };
};

test('the root key is told as the root of the account', async () => {
  const { client } = await open();
  expect(await client.send(new GetCallerIdentityCommand({}))).toMatchObject({
    Account: accountId,
    Arn: `arn:aws:iam::${accountId}:root`,
    UserId: accountId,
  });
});

describe('an assumed role', () => {
  test('has a name, an id and credentials that last as long as asked', async () => {
    const { client, assume } = await open();
    const { AssumedRoleUser, Credentials } = await assume(client, { DurationSeconds: 900 });
    expect(AssumedRoleUser).toEqual({
      Arn: `arn:aws:sts::${accountId}:assumed-role/reader/me@x`,
      AssumedRoleId: expect.stringMatching(/^AROA[0-9A-F]{17}:me@x$/),
    });
    const left = (Credentials?.Expiration?.getTime() ?? 0) - Date.now();
    expect(left).toBeGreaterThan(880_000);
    expect(left).toBeLessThanOrEqual(900_000);
  });

  test('is who the credentials act as, and may chain for an hour only', async () => {
    const { config, client, assume, refusal } = await open();
    const { AssumedRoleUser, Credentials: key } = await assume(client);
    const assumed = new STSClient({
      ...config,
      credentials: {
        accessKeyId: key?.AccessKeyId ?? '',
        secretAccessKey: key?.SecretAccessKey ?? '',
        sessionToken: key?.SessionToken,
      },
    });
    expect(await assumed.send(new GetCallerIdentityCommand({}))).toMatchObject({
      Arn: AssumedRoleUser?.Arn,
      UserId: AssumedRoleUser?.AssumedRoleId,
    });
    expect(await assume(assumed, { DurationSeconds: 3_600 })).toHaveProperty('Credentials');
    expect((await refusal({ DurationSeconds: 3_601 }, assumed)).message).toContain('role chaining');
  });

  test.each<[string, Partial<AssumeRoleCommandInput>, string, string]>([
    ['a session name with a space', { RoleSessionName: 'me too' }, 'ValidationError', 'roleSessionName'],
    ['a session name of one letter', { RoleSessionName: 'm' }, 'ValidationError', 'roleSessionName'],
    ['a session name of 65 letters', { RoleSessionName: 'm'.repeat(65) }, 'ValidationError', 'roleSessionName'],
    ['no ARN', { RoleArn: 'reader' }, 'ValidationError', 'roleArn'],
    ['a user', { RoleArn: `arn:aws:iam::${accountId}:user/reader` }, 'ValidationError', 'roleArn'],
    [
      'a role of another account',
      { RoleArn: 'arn:aws:iam::123456789012:role/reader' },
      'AccessDenied',
      'sts:AssumeRole',
    ],
    ['too short a time', { DurationSeconds: 899 }, 'ValidationError', 'durationSeconds'],
    ['too long a time', { DurationSeconds: 43_201 }, 'ValidationError', 'durationSeconds'],
    ['no session name', { RoleSessionName: undefined }, 'ValidationError', "'RoleSessionName'"],
  ])('is refused for %s', async (_what, input, name, hint) => {
    const { refusal } = await open();
    expect(await refusal(input)).toMatchObject({ name, message: expect.stringContaining(hint) });
  });

  test('is refused with a policy that is no document', async () => {
    const { refusal } = await open();
    expect(await refusal({ Policy: '{' })).toBeInstanceOf(MalformedPolicyDocumentException);
  });
});
