import type { V1CustomResourceDefinitionSpec } from '@kubernetes/client-node';
import type { ClusterObjects } from './cluster-objects.ts';
import { builtInKinds, definitionKind, type Kind, type Subresource } from './kinds.ts';
import type { KubeObject } from './object.ts';

/** The kinds that a CustomResourceDefinition makes, one per served version. */
export const kindsOf = (definition: KubeObject): Kind[] => {
  const { group, names, scope, versions } = definition.spec as V1CustomResourceDefinitionSpec;
  return versions
    .filter(({ served }) => served)
    .map(
      ({ name, subresources }): Kind => ({
        group,
        version: name,
        kind: names.kind,
        plural: names.plural,
        singular: names.singular ?? names.kind.toLowerCase(),
        namespaced: scope === 'Namespaced',
        shortNames: names.shortNames ?? [],
        categories: names.categories ?? [],
        subresources: (['status', 'scale'] as const satisfies Subresource[]).filter((name) => subresources?.[name]),
        counted: true,
        custom: true,
      }),
    );
};

/** Everything that the cluster serves, built-in kinds first. */
export const servedKinds = (objects: ClusterObjects): readonly Kind[] => {
  const definitions = objects.list(definitionKind);
  return definitions.length === 0 ? builtInKinds : [...builtInKinds, ...definitions.flatMap(kindsOf)];
};

export const findKind = (
  objects: ClusterObjects,
  { group, version, plural }: Pick<Kind, 'group' | 'version' | 'plural'>,
): Kind | undefined =>
  servedKinds(objects).find((kind) => kind.group === group && kind.version === version && kind.plural === plural);
