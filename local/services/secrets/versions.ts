import { randomUUID } from 'node:crypto';
import { ServiceError } from '../../gateway/service.ts';
import type { Vault } from '../vault.ts';
import type { SecretStore, StoredSecret } from './store.ts';

export const current = 'AWSCURRENT';
export const previous = 'AWSPREVIOUS';

/** Bytes of one value. */
const valueLimit = 65_536;
/** AWS's rule for ClientRequestToken. */
const tokenPattern = /^.{32,64}$/;

export interface ValueRequest {
  readonly SecretString?: string;
  readonly SecretBinary?: Uint8Array;
  readonly ClientRequestToken?: string;
}

export interface SecretValue {
  readonly binary: boolean;
  readonly bytes: Buffer;
}

/** The value that a request carries, or undefined when it carries none. */
export const readValue = ({ SecretString, SecretBinary }: ValueRequest): SecretValue | undefined => {
  if (SecretString !== undefined && SecretBinary !== undefined) {
    throw new ServiceError('InvalidParameterException', 'Give either SecretString or SecretBinary, not both.');
  }
  if (SecretString === undefined && SecretBinary === undefined) return undefined;
  const bytes = SecretBinary === undefined ? Buffer.from(SecretString ?? '', 'utf8') : Buffer.from(SecretBinary);
  if (bytes.length === 0 || bytes.length > valueLimit) {
    throw new ServiceError(
      'InvalidParameterException',
      `The value has ${bytes.length} bytes; it may have 1 to ${valueLimit}.`,
    );
  }
  return { binary: SecretBinary !== undefined, bytes };
};

const tokenOf = ({ ClientRequestToken = randomUUID() }: ValueRequest): string => {
  if (tokenPattern.test(ClientRequestToken)) return ClientRequestToken;
  const message = `ClientRequestToken has ${ClientRequestToken.length} characters; it must have 32 to 64, as a UUID has.`;
  throw new ServiceError('InvalidParameterException', message);
};

/** Moves labels; a version that loses AWSCURRENT becomes AWSPREVIOUS. */
const moveStages = (store: SecretStore, arn: string, id: string, stages: readonly string[]): void => {
  const replaced = store.stages(arn).find(({ stage }) => stage === current)?.id;
  for (const stage of stages) store.setStage(arn, stage, id);
  if (stages.includes(current) && replaced !== undefined && replaced !== id) store.setStage(arn, previous, replaced);
};

/**
 * Adds a version named by the request's token and labels it. The same token with the same value changes nothing, with
 * another value it is refused: that is what makes a retried request safe. Answers the version id.
 */
export const addVersion = (
  store: SecretStore,
  vault: Vault,
  secret: StoredSecret,
  request: ValueRequest & { value: SecretValue; stages: readonly string[]; now: number },
): string => {
  const { arn } = secret;
  const { value, stages, now } = request;
  const id = tokenOf(request);
  const known = store.version(arn, id);
  if (known) {
    if (known.binary === Number(value.binary) && vault.open(known.value).equals(value.bytes)) return id;
    const message = `ClientRequestToken ${id} is already in use for a version of secret ${arn} with another value; give a new one.`;
    throw new ServiceError('ResourceExistsException', message);
  }
  store.addVersion({ arn, id, binary: Number(value.binary), value: vault.seal(value.bytes), created: now });
  moveStages(store, arn, id, stages);
  store.prune(arn);
  return id;
};

/** Version id -> its labels; versions without one are not told. */
export const stagesByVersion = (store: SecretStore, arn: string): Record<string, string[]> => {
  const grouped: Record<string, string[]> = {};
  for (const { stage, id } of store.stages(arn)) {
    grouped[id] ??= [];
    grouped[id].push(stage);
  }
  return grouped;
};
