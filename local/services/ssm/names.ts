import { ServiceError } from '../../gateway/service.ts';

const validation = (message: string): ServiceError => new ServiceError('ValidationException', message);

/** https://docs.aws.amazon.com/systems-manager/latest/userguide/sysman-paramstore-su-create.html */
const longest = 1_011;
const deepest = 15;

/** Throws ServiceError ValidationException or HierarchyLevelLimitExceededException unless AWS would take the name. */
export const checkName = (name: string): void => {
  const levels = name.split('/').length - (name.startsWith('/') ? 1 : 0);
  if (!/^[a-zA-Z0-9_.\-/]+$/.test(name) || name.includes('//') || name.endsWith('/')) {
    throw validation(`Parameter name "${name}": only a mix of letters, numbers and the symbols . - _ / is allowed.`);
  }
  if (name.includes('/') && !name.startsWith('/')) {
    throw validation(`Parameter name "${name}" must be a fully qualified name: begin it with a slash.`);
  }
  if (/^\/?(aws|ssm)/i.test(name)) {
    throw validation(`Parameter name "${name}": can't be prefixed with "aws" or "ssm" (case-insensitive).`);
  }
  if (name.length > longest)
    throw validation(`Parameter name has ${name.length} characters; at most ${longest} are allowed.`);
  if (levels > deepest) {
    throw new ServiceError(
      'HierarchyLevelLimitExceededException',
      `Parameter name "${name}" has ${levels} levels; at most ${deepest}.`,
    );
  }
};

/** What a caller may pass as a name: a name or an ARN, either with `:version`. */
export const parseSelector = (
  text: string,
): { name: string; version: number | undefined; selector: string | undefined } => {
  const [, inArn] = /^arn:aws:ssm:[^:]*:\d*:parameter(\/.+)$/.exec(text) ?? [];
  const [, name = '', selector] = /^([^:]*)(:.+)?$/.exec(inArn ?? text) ?? [];
  const version = selector && /^:\d+$/.test(selector) ? Number(selector.slice(1)) : undefined;
  return { name, version, selector };
};

/** In an ARN a name has exactly one slash before it. */
export const parameterArn = (region: string, accountId: string, name: string): string =>
  `arn:aws:ssm:${region}:${accountId}:parameter${name.startsWith('/') ? '' : '/'}${name}`;
