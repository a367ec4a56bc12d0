import { randomBytes } from 'node:crypto';
import type {
  CreateSecretRequest,
  CreateSecretResponse,
  DeleteSecretRequest,
  DeleteSecretResponse,
  DescribeSecretRequest,
  DescribeSecretResponse,
  GetSecretValueRequest,
  GetSecretValueResponse,
  ListSecretsRequest,
  ListSecretsResponse,
  PutSecretValueRequest,
  PutSecretValueResponse,
  SecretListEntry,
  UpdateSecretRequest,
  UpdateSecretResponse,
} from '@aws-sdk/client-secrets-manager';
import * as client from '@aws-sdk/client-secrets-manager';
import { type SchemaService, ServiceError } from '../gateway/service.ts';
import { applyFilters } from './secrets/filters.ts';
import { openSecretStore, type StoredSecret } from './secrets/store.ts';
import { addVersion, current, readValue, stagesByVersion } from './secrets/versions.ts';
import { openVault } from './vault.ts';

const day = 86_400_000;
const recovery = { default: 30, least: 7, most: 30 };
/** `rds!` begins the names of secrets that RDS keeps for its master users. */
const namePattern = /^(?:[A-Za-z0-9/_+=.@-]{1,512}|rds![a-z0-9-]{1,64})$/;

const invalidParameter = (message: string): ServiceError => new ServiceError('InvalidParameterException', message);
const invalidRequest = (message: string): ServiceError => new ServiceError('InvalidRequestException', message);
const notFound = (message: string): ServiceError => new ServiceError('ResourceNotFoundException', message);

const missingSecret = (id: string): ServiceError =>
  notFound(`Secrets Manager can't find the specified secret "${id}"; create it first.`);

const toDate = (time: number | null): Date | undefined => (time === null ? undefined : new Date(time));

/**
 * Secrets Manager, kept in SQLite under `directory`, values sealed with the vault key beside it. Secrets are found by
 * name, ARN, or ARN without its six random characters. `now` is the clock of deletion windows.
 */
export const createSecretsService = (options: {
  directory: string;
  region: string;
  accountId: string;
  now?: () => number;
}): SchemaService => {
  const { directory, region, accountId, now = Date.now } = options;
  const store = openSecretStore(directory);
  const vault = openVault(directory);

  /** Secrets whose recovery window is over do not exist any more, whether or not anybody looked. */
  const alive = (secret: StoredSecret | undefined): StoredSecret | undefined => {
    if (!secret || secret.gone === null || secret.gone > now()) return secret;
    store.remove(secret.arn);
    return undefined;
  };
  const lookUp = (id: string): StoredSecret | undefined => {
    const [, inArn] = /^arn:aws:secretsmanager:[^:]*:\d*:secret:(.+)$/.exec(id) ?? [];
    return alive(inArn === undefined ? store.byName(id) : (store.byArn(id) ?? store.byName(inArn)));
  };
  const find = (id: string): StoredSecret => {
    const found = lookUp(id);
    if (!found) throw missingSecret(id);
    return found;
  };
  const findActive = (id: string): StoredSecret => {
    const secret = find(id);
    if (secret.deleted === null) return secret;
    throw invalidRequest(
      `You can't perform this operation on the secret "${secret.name}" because it was marked for deletion; restore it first.`,
    );
  };

  const create = (input: CreateSecretRequest): CreateSecretResponse => {
    const { Name = '', Description, KmsKeyId, Tags = [], ClientRequestToken } = input;
    if (!namePattern.test(Name)) {
      throw invalidParameter(`Name is "${Name}"; use 1 to 512 letters, digits and /_+=.@- for it.`);
    }
    const value = readValue(input);
    const existing = alive(store.byName(Name));
    if (existing?.deleted) {
      throw invalidRequest(
        `You can't create the secret "${Name}" because one with this name is already scheduled for deletion.`,
      );
    }
    const repeated = existing && ClientRequestToken !== undefined && store.version(existing.arn, ClientRequestToken);
    if (existing && !repeated) {
      throw new ServiceError(
        'ResourceExistsException',
        `The operation failed because the secret ${Name} already exists.`,
      );
    }
    const time = now();
    const secret: StoredSecret = existing ?? {
      arn: `arn:aws:secretsmanager:${region}:${accountId}:secret:${Name}-${randomBytes(3).toString('hex')}`,
      name: Name,
      description: Description ?? null,
      key_id: KmsKeyId ?? null,
      tags: JSON.stringify(Tags),
      created: time,
      changed: time,
      accessed: null,
      deleted: null,
      gone: null,
    };
    return store.transaction(() => {
      if (!existing) store.insert(secret);
      const VersionId = value && addVersion(store, vault, secret, { ...input, value, stages: [current], now: time });
      return { ARN: secret.arn, Name, VersionId };
    });
  };

  const get = (input: GetSecretValueRequest): GetSecretValueResponse => {
    const { SecretId = '', VersionId, VersionStage } = input;
    const secret = findActive(SecretId);
    const stages = stagesByVersion(store, secret.arn);
    const label = VersionStage ?? (VersionId === undefined ? current : undefined);
    const labelled = label && Object.keys(stages).find((id) => stages[id]?.includes(label));
    const id = VersionId ?? labelled;
    const version = id === undefined ? undefined : store.version(secret.arn, id);
    if (!version || (label !== undefined && labelled !== version.id)) {
      const sought = VersionId ? `VersionId: ${VersionId}` : `staging label: ${label}`;
      throw notFound(`Secrets Manager can't find the specified secret value of "${secret.name}" for ${sought}`);
    }
    // AWS tells the day of the last access only.
    const today = Math.floor(now() / day) * day;
    if (secret.accessed !== today) store.update({ ...secret, accessed: today });
    const bytes = vault.open(version.value);
    return {
      ARN: secret.arn,
      Name: secret.name,
      VersionId: version.id,
      VersionStages: stages[version.id] ?? [],
      CreatedDate: new Date(version.created),
      ...(version.binary ? { SecretBinary: bytes } : { SecretString: bytes.toString('utf8') }),
    };
  };

  const put = (input: PutSecretValueRequest): PutSecretValueResponse => {
    const secret = findActive(input.SecretId ?? '');
    const value = readValue(input);
    if (!value) throw invalidRequest('You must provide either SecretString or SecretBinary.');
    const stages = input.VersionStages ?? [current];
    if (stages.length === 0) throw invalidParameter('VersionStages is empty; name at least one label or leave it out.');
    const time = now();
    return store.transaction(() => {
      const VersionId = addVersion(store, vault, secret, { ...input, value, stages, now: time });
      store.update({ ...secret, changed: time });
      return {
        ARN: secret.arn,
        Name: secret.name,
        VersionId,
        VersionStages: stagesByVersion(store, secret.arn)[VersionId],
      };
    });
  };

  const update = (input: UpdateSecretRequest): UpdateSecretResponse => {
    const secret = findActive(input.SecretId ?? '');
    const value = readValue(input);
    const time = now();
    const { Description = secret.description, KmsKeyId = secret.key_id } = input;
    return store.transaction(() => {
      const VersionId = value && addVersion(store, vault, secret, { ...input, value, stages: [current], now: time });
      store.update({ ...secret, description: Description, key_id: KmsKeyId, changed: time });
      return { ARN: secret.arn, Name: secret.name, VersionId };
    });
  };

  const entry = (secret: StoredSecret): SecretListEntry => ({
    ARN: secret.arn,
    Name: secret.name,
    Description: secret.description ?? undefined,
    KmsKeyId: secret.key_id ?? undefined,
    CreatedDate: new Date(secret.created),
    LastChangedDate: new Date(secret.changed),
    LastAccessedDate: toDate(secret.accessed),
    DeletedDate: toDate(secret.deleted),
    Tags: JSON.parse(secret.tags) as SecretListEntry['Tags'],
  });

  const describe = ({ SecretId = '' }: DescribeSecretRequest): DescribeSecretResponse => {
    const secret = find(SecretId);
    return { ...entry(secret), VersionIdsToStages: stagesByVersion(store, secret.arn) };
  };

  const list = (input: ListSecretsRequest): ListSecretsResponse => {
    const { Filters = [], MaxResults = 100, NextToken, IncludePlannedDeletion = false, SortOrder = 'asc' } = input;
    if (!Number.isInteger(MaxResults) || MaxResults < 1 || MaxResults > 100) {
      throw invalidParameter(`MaxResults is ${MaxResults}; it must be from 1 to 100.`);
    }
    const living = store.all().filter((secret) => alive(secret) && (IncludePlannedDeletion || secret.deleted === null));
    const found = applyFilters(living, Filters);
    if (SortOrder === 'desc') found.reverse();
    const last =
      NextToken === undefined
        ? -1
        : found.findIndex(({ name }) => name === Buffer.from(NextToken, 'base64url').toString());
    if (NextToken !== undefined && last < 0) {
      throw new ServiceError('InvalidNextTokenException', 'NextToken belongs to no list here; start again without it.');
    }
    const page = found.slice(last + 1, last + 1 + MaxResults);
    const more = last + 1 + page.length < found.length;
    return {
      SecretList: page.map((secret) => ({
        ...entry(secret),
        SecretVersionsToStages: stagesByVersion(store, secret.arn),
      })),
      NextToken: more ? Buffer.from(page.at(-1)?.name ?? '').toString('base64url') : undefined,
    };
  };

  const remove = (input: DeleteSecretRequest): DeleteSecretResponse => {
    const { SecretId = '', ForceDeleteWithoutRecovery: force = false, RecoveryWindowInDays: window } = input;
    if (force && window !== undefined) {
      throw invalidParameter("You can't use ForceDeleteWithoutRecovery in conjunction with RecoveryWindowInDays.");
    }
    const days = window ?? recovery.default;
    if (days < recovery.least || days > recovery.most) {
      throw invalidParameter(`RecoveryWindowInDays is ${days}; it must be from ${recovery.least} to ${recovery.most}.`);
    }
    const time = now();
    if (!force) {
      const secret = findActive(SecretId);
      const gone = time + days * day;
      store.update({ ...secret, deleted: time, gone });
      return { ARN: secret.arn, Name: secret.name, DeletionDate: new Date(gone) };
    }
    // Forced deletion of what does not exist succeeds on AWS, so that clean-up can be repeated.
    const known = lookUp(SecretId);
    if (known) store.remove(known.arn);
    return { ARN: known?.arn ?? SecretId, Name: known?.name ?? SecretId, DeletionDate: new Date(time) };
  };

  const restore = ({ SecretId = '' }: { SecretId?: string }): { ARN: string; Name: string } => {
    const secret = find(SecretId);
    store.update({ ...secret, deleted: null, gone: null });
    return { ARN: secret.arn, Name: secret.name };
  };

  return {
    kind: 'schema',
    signingName: 'secretsmanager',
    protocol: 'awsJson1_1',
    client,
    operations: {
      CreateSecret: create,
      GetSecretValue: get,
      PutSecretValue: put,
      UpdateSecret: update,
      DescribeSecret: describe,
      ListSecrets: list,
      DeleteSecret: remove,
      RestoreSecret: restore,
    },
    close: () => store.close(),
  };
};
