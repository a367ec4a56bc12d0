import { ServiceError } from '../gateway/service.ts';

export interface Place {
  readonly region: string;
  readonly accountId: string;
}

export const validation = (message: string): never => {
  throw new ServiceError('ValidationException', message, { status: 400 });
};

export const missing = (message: string): never => {
  throw new ServiceError('ResourceNotFoundException', message, { status: 400 });
};

/** A bus is named by its name, by its ARN, or not at all, which means `default`. */
export const busName = (nameOrArn: string | undefined): string =>
  nameOrArn === undefined
    ? 'default'
    : nameOrArn.startsWith('arn:')
      ? (nameOrArn.split('event-bus/')[1] ?? '')
      : nameOrArn;

export const busArn = ({ region, accountId }: Place, name: string): string =>
  `arn:aws:events:${region}:${accountId}:event-bus/${name}`;

export const ruleArn = ({ region, accountId }: Place, bus: string, rule: string): string =>
  `arn:aws:events:${region}:${accountId}:rule/${bus === 'default' ? '' : `${bus}/`}${rule}`;

/** Letters, digits, `.`, `-` and `_`. EventBridge API reference, CreateEventBus and PutRule. */
export const checkName = (field: string, value: string | undefined, longest: number): string => {
  if (value === undefined || value.length > longest || !/^[\w.-]+$/.test(value))
    return validation(
      `Value '${value ?? ''}' at '${field}' failed to satisfy constraint: it must be 1 to ${longest} letters, digits, '.', '-' or '_'`,
    );
  return value;
};

/** Tags as the API gives them: a list of keys and values. */
export interface Tag {
  readonly Key: string | undefined;
  readonly Value: string | undefined;
}

export const tagMap = (tags: readonly Tag[] = []): Record<string, string> =>
  Object.fromEntries(tags.map(({ Key = '', Value = '' }) => [Key, Value]));

export const tagList = (tags: Readonly<Record<string, string>>): Tag[] =>
  Object.entries(tags).map(([Key, Value]) => ({ Key, Value }));

/** One page of a list. The token is where the next page begins. Throws ValidationException for a token of others. */
export const pageOf = <T>(
  all: readonly T[],
  { limit = 100, token }: { limit?: number | undefined; token?: string | undefined },
): { items: T[]; next: string | undefined } => {
  const from = token === undefined ? 0 : Number(Buffer.from(token, 'base64url').toString());
  if (!Number.isInteger(from) || from < 0)
    return validation(`NextToken "${token}" is not one that this service gave out`);
  const to = from + limit;
  return {
    items: all.slice(from, to),
    next: to < all.length ? Buffer.from(String(to)).toString('base64url') : undefined,
  };
};
