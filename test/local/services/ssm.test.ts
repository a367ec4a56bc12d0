import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import {
  DeleteParameterCommand,
  DeleteParametersCommand,
  DescribeParametersCommand,
  GetParameterCommand,
  GetParametersByPathCommand,
  GetParametersCommand,
  HierarchyLevelLimitExceededException,
  HierarchyTypeMismatchException,
  InvalidFilterKey,
  ParameterAlreadyExists,
  ParameterNotFound,
  ParameterPatternMismatchException,
  ParameterVersionNotFound,
  PutParameterCommand,
  type PutParameterCommandInput,
  SSMClient,
  UnsupportedParameterType,
} from '@aws-sdk/client-ssm';
import { describe, expect, test } from 'vitest';
import { createSsmService } from '../../../local/services/ssm.ts';
import { accountId, region } from '../gateway/account.ts';
import { openEndpoint, temporary } from '../gateway/endpoint.ts';

const open = async (given?: string) => {
  const directory = given ?? (await temporary('ssm'));
  const endpoint = await openEndpoint(() => [createSsmService({ directory, region, accountId })]);
  const client = new SSMClient(endpoint.config);
  const put = (Name: string, Value: string, more: Partial<PutParameterCommandInput> = {}) =>
    client.send(new PutParameterCommand({ Name, Value, Type: 'String', ...more }));
  const get = async (Name: string, WithDecryption = false) =>
    (await client.send(new GetParameterCommand({ Name, WithDecryption }))).Parameter;
  return { ...endpoint, directory, client, put, get };
};

const refusal = (work: Promise<unknown>): Promise<Error> =>
  work.then(
    () => Promise.reject(new Error('it succeeded')),
    (error: Error) => error,
  );

describe('a parameter', () => {
  test('is read back with its version, ARN and date, by name, ARN and version', async () => {
    const { put, get } = await open();
    const before = Date.now();
    expect(await put('/tenantry/cell', 'one')).toMatchObject({ Version: 1, Tier: 'Standard' });
    expect(await put('/tenantry/cell', 'two', { Overwrite: true, Type: undefined })).toMatchObject({ Version: 2 });
    const parameter = await get('/tenantry/cell');
    const ARN = `arn:aws:ssm:${region}:${accountId}:parameter/tenantry/cell`;
    expect(parameter).toMatchObject({
      Name: '/tenantry/cell',
      Value: 'two',
      Type: 'String',
      Version: 2,
      ARN,
      DataType: 'text',
    });
    expect(parameter?.LastModifiedDate?.getTime()).toBeGreaterThanOrEqual(before);
    expect(await get(ARN)).toMatchObject({ Value: 'two' });
    expect(await get('/tenantry/cell:1')).toMatchObject({ Value: 'one', Selector: ':1' });
    await put('plain', 'p');
    expect(await get(`arn:aws:ssm:${region}:${accountId}:parameter/plain`)).toMatchObject({
      Name: 'plain',
      Value: 'p',
    });
  });

  test('is told apart from what does not exist', async () => {
    const { put, get } = await open();
    await put('known', 'v');
    expect(await refusal(get('unknown'))).toBeInstanceOf(ParameterNotFound);
    expect(await refusal(get('known:2'))).toBeInstanceOf(ParameterVersionNotFound);
    expect(await refusal(get('known:label'))).toBeInstanceOf(ParameterVersionNotFound);
  });

  test('is not overwritten unless asked, and keeps its type and pattern', async () => {
    const { put, get } = await open();
    await put('port', '5432', { AllowedPattern: '^\\d+$' });
    expect(await refusal(put('port', '5433'))).toBeInstanceOf(ParameterAlreadyExists);
    const overwrite = { Overwrite: true };
    expect(await refusal(put('port', 'abc', overwrite))).toBeInstanceOf(ParameterPatternMismatchException);
    expect(await refusal(put('port', '1', { ...overwrite, Type: 'SecureString' }))).toBeInstanceOf(
      HierarchyTypeMismatchException,
    );
    expect(await get('port')).toMatchObject({ Value: '5432', Version: 1 });
  });

  test.each<[string, string, string, Partial<PutParameterCommandInput>, string]>([
    ['a character', 'a b', 'v', {}, 'letters'],
    ['a missing slash', 'a/b', 'v', {}, 'slash'],
    ['a reserved prefix', '/aws/x', 'v', {}, 'prefixed'],
    ['an empty value', 'a', '', {}, '1 to 4096'],
    ['a large value', 'a', 'x'.repeat(4_097), {}, '1 to 4096'],
    ['a missing type', 'a', 'v', { Type: undefined }, 'type is required'],
    ['tags with overwrite', 'a', 'v', { Overwrite: true, Tags: [{ Key: 'k', Value: 'v' }] }, 'together'],
  ])('is refused for %s', async (_what, name, value, more, hint) => {
    const { put } = await open();
    expect(await refusal(put(name, value, more))).toMatchObject({
      name: 'ValidationException',
      message: expect.stringContaining(hint),
    });
  });

  test('is refused for its depth and its type with errors of their own', async () => {
    const { put } = await open();
    expect(await refusal(put('/a'.repeat(16), 'v'))).toBeInstanceOf(HierarchyLevelLimitExceededException);
    expect(await refusal(put('a', 'v', { Type: 'Number' as 'String' }))).toBeInstanceOf(UnsupportedParameterType);
  });

  test('is deleted once, alone or among others', async () => {
    const { client, put, get } = await open();
    for (const name of ['a', 'b']) await put(name, 'v');
    await client.send(new DeleteParameterCommand({ Name: 'a' }));
    expect(await refusal(get('a'))).toBeInstanceOf(ParameterNotFound);
    expect(await refusal(client.send(new DeleteParameterCommand({ Name: 'a' })))).toBeInstanceOf(ParameterNotFound);
    expect(await client.send(new DeleteParametersCommand({ Names: ['a', 'b'] }))).toMatchObject({
      DeletedParameters: ['b'],
      InvalidParameters: ['a'],
    });
    expect(await put('a', 'again')).toMatchObject({ Version: 1 });
  });

  test('survives a restart', async () => {
    const first = await open();
    await first.put('/kept', 'value', { Description: 'stays' });
    await first.put('/secret', 'hidden', { Type: 'SecureString' });
    await first.gateway.close();
    const second = await open(first.directory);
    expect(await second.get('/kept')).toMatchObject({ Value: 'value' });
    expect(await second.get('/secret', true)).toMatchObject({ Value: 'hidden' });
  });
});

test('a secure string shows its value only with decryption, and never in the file', async () => {
  const { put, get, directory, gateway } = await open();
  await put('/password', 'correct horse battery staple', { Type: 'SecureString' });
  expect((await get('/password', true))?.Value).toBe('correct horse battery staple');
  const sealed = (await get('/password'))?.Value ?? '';
  expect(sealed).toMatch(/^[A-Za-z0-9+/=]{40,}$/);
  await gateway.close();
  expect(readFileSync(join(directory, 'ssm.db')).includes('battery')).toBe(false);
});

test('several parameters are read at once, and the missing named', async () => {
  const { client, put } = await open();
  await put('a', '1');
  await put('b', '2');
  const { Parameters, InvalidParameters } = await client.send(new GetParametersCommand({ Names: ['b', 'x', 'a'] }));
  expect(Parameters?.map(({ Value }) => Value)).toEqual(['2', '1']);
  expect(InvalidParameters).toEqual(['x']);
  const many = Array.from({ length: 11 }, (_name, index) => `n${index}`);
  expect(await refusal(client.send(new GetParametersCommand({ Names: many })))).toMatchObject({
    name: 'ValidationException',
  });
});

test('a path lists its children, or all below it, in pages', async () => {
  const { client, put } = await open();
  for (const name of ['/t/a', '/t/b', '/t/c/d', '/t2/x']) await put(name, name);
  const byPath = async (input: object): Promise<[string[], string | undefined]> => {
    const { Parameters = [], NextToken } = await client.send(new GetParametersByPathCommand({ Path: '/t', ...input }));
    return [Parameters.map(({ Name = '' }) => Name), NextToken];
  };
  expect((await byPath({}))[0]).toEqual(['/t/a', '/t/b']);
  expect((await byPath({ Recursive: true }))[0]).toEqual(['/t/a', '/t/b', '/t/c/d']);
  const [first, token] = await byPath({ Recursive: true, MaxResults: 2 });
  const [second, end] = await byPath({ Recursive: true, MaxResults: 2, NextToken: token });
  expect([first, second, end]).toEqual([['/t/a', '/t/b'], ['/t/c/d'], undefined]);
  expect((await byPath({ Path: '/' }))[0]).toEqual([]);
  expect(await refusal(byPath({ Path: 't' }))).toMatchObject({ name: 'ValidationException' });
  expect(await refusal(byPath({ MaxResults: 11 }))).toMatchObject({ name: 'ValidationException' });
});

test('descriptions are filtered by name, path and type and hold no value', async () => {
  const { client, put } = await open();
  await put('/x/one', 'v', { Description: 'first' });
  await put('/x/two', 'v', { Type: 'SecureString' });
  await put('three', 'a,b', { Type: 'StringList' });
  const names = async (input: object): Promise<(string | undefined)[] | undefined> =>
    (await client.send(new DescribeParametersCommand(input))).Parameters?.map(({ Name }) => Name);
  const filter = (Key: string, Option: string | undefined, ...Values: string[]) => ({
    ParameterFilters: [{ Key, Option, Values }],
  });
  expect(await names({})).toEqual(['/x/one', '/x/two', 'three']);
  expect(await names(filter('Name', 'BeginsWith', '/x/o', 'th'))).toEqual(['/x/one', 'three']);
  expect(await names(filter('Name', 'Contains', 'tw'))).toEqual(['/x/two']);
  expect(await names(filter('Path', 'OneLevel', '/x'))).toEqual(['/x/one', '/x/two']);
  expect(await names(filter('Type', undefined, 'StringList'))).toEqual(['three']);
  expect(await names({ Filters: [{ Key: 'Name', Values: ['/x/t'] }] })).toEqual(['/x/two']);
  expect(await refusal(names(filter('Colour', 'Equals', 'red')))).toBeInstanceOf(InvalidFilterKey);
  const { Parameters } = await client.send(new DescribeParametersCommand(filter('Name', 'Equals', '/x/one')));
  expect(Parameters?.[0]).toMatchObject({ Description: 'first', LastModifiedUser: `arn:aws:iam::${accountId}:root` });
  expect(Parameters?.[0]).not.toHaveProperty('Value');
});
