import type { ClusterObjects } from '../cluster-objects.ts';
import type { Kind, Subresource } from '../kinds.ts';
import type { KubeObject } from '../object.ts';
import type { FieldValidation } from '../schema/schema-check.ts';
import { badRequest } from '../status.ts';

/** Where a request writes. `namespace` is undefined for kinds without. */
export interface Target {
  readonly objects: ClusterObjects;
  readonly kind: Kind;
  readonly namespace: string | undefined;
  readonly subresource: Subresource | undefined;
}

export interface WriteOptions {
  readonly dryRun: boolean;
  readonly manager: string;
  readonly validation: FieldValidation;
}

export interface Written {
  readonly object: KubeObject;
  readonly created: boolean;
  readonly warnings: readonly string[];
}

const validations = ['Ignore', 'Warn', 'Strict'];

/** Throws 400 for a value that the API does not know. */
export const writeOptionsOf = (query: URLSearchParams, userAgent: string): WriteOptions => {
  const dryRun = query.getAll('dryRun');
  if (dryRun.some((value) => value !== 'All')) {
    throw badRequest(`dryRun is "${dryRun.join(',')}"; Unsupported value: supported values: "All"`);
  }
  const validation = query.get('fieldValidation') || 'Warn';
  if (!validations.includes(validation)) {
    throw badRequest(
      `fieldValidation is "${validation}"; Unsupported value: supported values: "Ignore", "Strict", "Warn"`,
    );
  }
  return {
    dryRun: dryRun.length > 0,
    manager: query.get('fieldManager') || userAgent.split('/')[0] || 'unknown',
    validation: validation as FieldValidation,
  };
};
