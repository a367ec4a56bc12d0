import { createHash } from 'node:crypto';
import type { ResourceContext } from './resource-type.ts';
import type { Json, JsonObject } from './template.ts';

const digest = ({ stack, id }: Pick<ResourceContext, 'stack' | 'id'>): string =>
  createHash('sha256').update(`${stack.id} ${id}`).digest('hex');

/** `vpc-0a1b...`, as EC2 names things: 17 hexadecimal digits, the same for the same stack and logical id. */
export const ec2Id = (prefix: string, context: Pick<ResourceContext, 'stack' | 'id'>): string =>
  `${prefix}-0${digest(context).slice(0, 16)}`;

export const uuidOf = (context: Pick<ResourceContext, 'stack' | 'id'>): string =>
  digest(context).replace(/^(.{8})(.{4})(.{4})(.{4})(.{12}).*$/, '$1-$2-$3-$4-$5');

/** The name that a property gives, else one of CloudFormation's: `<stack>-<logical id>-<12 characters>`. */
export const nameOf = (
  properties: JsonObject,
  property: string,
  context: Pick<ResourceContext, 'stack' | 'id'>,
  longest = 255,
): string => {
  const given = properties[property];
  if (typeof given === 'string') return given;
  const end = digest(context).slice(0, 12).toUpperCase();
  return `${`${context.stack.name}-${context.id}`.slice(0, longest - end.length - 1)}-${end}`;
};

export const textOf = (value: Json | undefined): string => (typeof value === 'string' ? value : '');

export const textsOf = (value: Json | undefined): string[] =>
  Array.isArray(value) ? value.filter((item): item is string => typeof item === 'string') : [];
