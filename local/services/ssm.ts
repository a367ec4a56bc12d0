import type {
  DeleteParametersRequest,
  DescribeParametersRequest,
  DescribeParametersResult,
  GetParameterRequest,
  GetParametersByPathRequest,
  GetParametersByPathResult,
  GetParametersRequest,
  GetParametersResult,
  Parameter,
  ParameterMetadata,
  PutParameterRequest,
  PutParameterResult,
} from '@aws-sdk/client-ssm';
import * as client from '@aws-sdk/client-ssm';
import { type Call, type SchemaService, ServiceError } from '../gateway/service.ts';
import { applyFilters, liesBelow, pageOf } from './ssm/filters.ts';
import { checkName, parameterArn, parseSelector } from './ssm/names.ts';
import { openParameterStore, type StoredParameter } from './ssm/store.ts';
import { openVault } from './vault.ts';

const types = ['String', 'StringList', 'SecureString'];
/** Bytes of a value, by tier. */
const valueLimits: Record<string, number> = { Standard: 4_096, Advanced: 8_192, 'Intelligent-Tiering': 8_192 };

const validation = (message: string): ServiceError => new ServiceError('ValidationException', message);

const notFound = (name: string): ServiceError =>
  new ServiceError('ParameterNotFound', `There is no parameter "${name}".`);

const pageSize = (member: string, value: number | undefined, most: number): number => {
  if (value === undefined) return most;
  if (Number.isInteger(value) && value >= 1 && value <= most) return value;
  throw validation(`Value '${value}' at '${member}' failed to satisfy constraint: Member must be from 1 to ${most}`);
};

const checkNames = (names: readonly string[]): void => {
  if (names.length >= 1 && names.length <= 10) return;
  throw validation(
    `${names.length} values at 'names' failed to satisfy constraint: Member must have length from 1 to 10`,
  );
};

/** The parameter that a put makes of the last version and the request. Throws what AWS throws. */
const nextVersion = (
  input: PutParameterRequest,
  last: StoredParameter | undefined,
  call: Call,
): Omit<StoredParameter, 'value'> => {
  const { Name = '', Type, Value = '', Overwrite = false, Tier = last?.tier ?? 'Standard', AllowedPattern } = input;
  checkName(Name);
  if (last && !Overwrite) {
    const message = `The parameter "${Name}" already exists. To overwrite this value, set the overwrite option in the request to true.`;
    throw new ServiceError('ParameterAlreadyExists', message);
  }
  const type = Type ?? last?.type;
  if (type === undefined) throw validation('A parameter type is required when you create a parameter.');
  if (!types.includes(type))
    throw new ServiceError('UnsupportedParameterType', `Type is "${type}"; it must be one of ${types.join(', ')}.`);
  if (last && last.type !== type) {
    const message = `"${Name}" is a ${last.type} and cannot become a ${type}; delete it first.`;
    throw new ServiceError('HierarchyTypeMismatchException', message);
  }
  const limit = valueLimits[Tier];
  if (limit === undefined)
    throw validation(`Tier is "${Tier}"; it must be one of ${Object.keys(valueLimits).join(', ')}.`);
  const size = Buffer.byteLength(Value);
  if (size === 0 || size > limit)
    throw validation(`The value of "${Name}" has ${size} bytes; tier ${Tier} takes 1 to ${limit}.`);
  const pattern = AllowedPattern ?? last?.allowed_pattern ?? undefined;
  if (pattern !== undefined && !new RegExp(pattern).test(Value)) {
    throw new ServiceError(
      'ParameterPatternMismatchException',
      `The value of "${Name}" does not match its pattern ${pattern}.`,
    );
  }
  return {
    name: Name,
    version: (last?.version ?? 0) + 1,
    type,
    description: input.Description ?? last?.description ?? null,
    key_id: type === 'SecureString' ? (input.KeyId ?? last?.key_id ?? 'alias/aws/ssm') : null,
    allowed_pattern: pattern ?? null,
    tier: Tier,
    data_type: input.DataType ?? last?.data_type ?? 'text',
    modified: Date.now(),
    modified_by: call.caller.principalArn,
  };
};

/** Parameter Store, kept in SQLite under `directory`; SecureString values are sealed with the vault key beside it. */
export const createSsmService = (options: { directory: string; region: string; accountId: string }): SchemaService => {
  const { directory, region, accountId } = options;
  const store = openParameterStore(directory);
  const vault = openVault(directory);
  const isSecure = ({ type }: { type: string }): boolean => type === 'SecureString';

  const readValue = (stored: StoredParameter, decrypt: boolean): string => {
    if (!isSecure(stored)) return Buffer.from(stored.value).toString('utf8');
    return decrypt ? vault.open(stored.value).toString('utf8') : Buffer.from(stored.value).toString('base64');
  };
  const shown = (stored: StoredParameter, decrypt = false, selector?: string): Parameter => ({
    Name: stored.name,
    Type: stored.type as Parameter['Type'],
    Value: readValue(stored, decrypt),
    Version: stored.version,
    Selector: selector,
    LastModifiedDate: new Date(stored.modified),
    ARN: parameterArn(region, accountId, stored.name),
    DataType: stored.data_type,
  });
  const metadata = (stored: StoredParameter): ParameterMetadata => ({
    Name: stored.name,
    ARN: parameterArn(region, accountId, stored.name),
    Type: stored.type as ParameterMetadata['Type'],
    KeyId: stored.key_id ?? undefined,
    LastModifiedDate: new Date(stored.modified),
    LastModifiedUser: stored.modified_by,
    Description: stored.description ?? undefined,
    AllowedPattern: stored.allowed_pattern ?? undefined,
    Version: stored.version,
    Tier: stored.tier as ParameterMetadata['Tier'],
    DataType: stored.data_type,
    Policies: [],
  });

  const lookUp = (text: string, decrypt = false): Parameter | undefined => {
    const { name, version, selector } = parseSelector(text);
    // An ARN writes a slash before names that have none.
    const plain = name.startsWith('/') && !store.find(name) ? name.slice(1) : name;
    if (!store.find(plain)) return undefined;
    const stored = selector !== undefined && version === undefined ? undefined : store.find(plain, version);
    if (!stored) {
      const message = `Systems Manager could not find version ${selector?.slice(1)} of ${plain}.`;
      throw new ServiceError('ParameterVersionNotFound', message);
    }
    return shown(stored, decrypt, selector);
  };

  const put = (input: PutParameterRequest, call: Call): PutParameterResult => {
    if (input.Overwrite && input.Tags?.length) {
      throw validation('Tags and Overwrite can not be used together; tag the parameter when it is created.');
    }
    const next = nextVersion(input, store.find(input.Name ?? ''), call);
    const plain = Buffer.from(input.Value ?? '', 'utf8');
    store.add({ ...next, value: isSecure(next) ? vault.seal(plain) : plain });
    return { Version: next.version, Tier: next.tier as PutParameterResult['Tier'] };
  };

  const get = ({ Name = '', WithDecryption }: GetParameterRequest): { Parameter: Parameter } => {
    const found = lookUp(Name, WithDecryption);
    if (!found) throw notFound(Name);
    return { Parameter: found };
  };

  const getMany = ({ Names = [], WithDecryption }: GetParametersRequest): GetParametersResult => {
    checkNames(Names);
    const found = Names.map((name) => [name, lookUp(name, WithDecryption)] as const);
    return {
      Parameters: found.flatMap(([, parameter]) => parameter ?? []),
      InvalidParameters: found.filter(([, parameter]) => !parameter).map(([name]) => name),
    };
  };

  const getByPath = (input: GetParametersByPathRequest): GetParametersByPathResult => {
    const { Path = '', Recursive = false, ParameterFilters = [], WithDecryption, NextToken } = input;
    if (!Path.startsWith('/')) throw validation(`Path is "${Path}"; it must begin with a slash.`);
    const below = store.all().filter(({ name }) => liesBelow(name, Path, Recursive));
    const size = pageSize('maxResults', input.MaxResults, 10);
    const { page, next } = pageOf(applyFilters(below, ParameterFilters), { token: NextToken, size });
    return { Parameters: page.map((stored) => shown(stored, WithDecryption)), NextToken: next };
  };

  const describe = (input: DescribeParametersRequest): DescribeParametersResult => {
    const old = (input.Filters ?? []).map(({ Key, Values }) => ({ Key, Values, Option: 'BeginsWith' }));
    const found = applyFilters(store.all(), [...old, ...(input.ParameterFilters ?? [])]);
    const size = pageSize('maxResults', input.MaxResults, 50);
    const { page, next } = pageOf(found, { token: input.NextToken, size });
    return { Parameters: page.map(metadata), NextToken: next };
  };

  const removeOne = ({ Name = '' }: { Name?: string }): object => {
    if (!store.remove(Name)) throw notFound(Name);
    return {};
  };

  const removeMany = ({ Names = [] }: DeleteParametersRequest): object => {
    checkNames(Names);
    const removed = Names.filter((name) => store.remove(name));
    return { DeletedParameters: removed, InvalidParameters: Names.filter((name) => !removed.includes(name)) };
  };

  return {
    kind: 'schema',
    signingName: 'ssm',
    protocol: 'awsJson1_1',
    client,
    operations: {
      PutParameter: put,
      GetParameter: get,
      GetParameters: getMany,
      GetParametersByPath: getByPath,
      DescribeParameters: describe,
      DeleteParameter: removeOne,
      DeleteParameters: removeMany,
    },
    close: () => store.close(),
  };
};
