import { clusterTypes } from './cluster-types.ts';
import { identityTypes } from './identity-types.ts';
import { networkTypes } from './network-types.ts';
import type { ResourceType } from './resource-type.ts';

const types: Readonly<Record<string, ResourceType>> = { ...networkTypes, ...identityTypes, ...clusterTypes };

/** What `Fn::GetAtt` may name of a type; undefined for a type that is not here. */
export const attributesOfType = (type: string): readonly string[] | undefined =>
  Object.hasOwn(types, type) ? types[type]!.attributes : undefined;

export const resourceType = (type: string): ResourceType => types[type]!;
