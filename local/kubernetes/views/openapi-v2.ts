import type { Kind } from '../kinds.ts';

type Field = readonly [number: number, value: string | Buffer];

const varint = (value: number): number[] => (value < 0x80 ? [value] : [(value & 0x7f) | 0x80, ...varint(value >>> 7)]);

/** A message of fields that are all texts or messages. */
const message = (...fields: readonly Field[]): Buffer =>
  Buffer.concat(
    fields.flatMap(([number, value]) => {
      const bytes = Buffer.from(value);
      return [Buffer.from([...varint((number << 3) | 2), ...varint(bytes.length)]), bytes];
    }),
  );

const parameterNames = ['dryRun', 'fieldManager', 'fieldValidation', 'force'];

/** gnostic's ParametersItem, Parameter, NonBodyParameter and QueryParameterSubSchema, one in the other. */
const queryParameter = (name: string): Buffer =>
  message([1, message([2, message([3, message([2, 'query'], [4, name])])])]);

const patchOperation = ({ group, version, kind }: Kind): Buffer =>
  message(...parameterNames.map((name): Field => [8, queryParameter(name)]), [
    13,
    message(
      [1, 'x-kubernetes-group-version-kind'],
      [2, message([2, `group: "${group}"\nkind: ${kind}\nversion: ${version}\n`])],
    ),
  ]);

const pathItem = (kind: Kind): Field => {
  const base = kind.group ? `/apis/${kind.group}/${kind.version}` : `/api/${kind.version}`;
  const path = `${base}${kind.namespaced ? '/namespaces/{namespace}' : ''}/${kind.plural}/{name}`;
  return [2, message([1, path], [2, message([8, patchOperation(kind)])])];
};

/** kubectl accepts `...v2@v1.0+protobuf` and cannot read that back: `@` is no part of a media type. kube-apiserver answers this. */
export const openApiV2Type = 'application/com.github.proto-openapi.spec.v2.v1.0+protobuf';

/**
 * `/openapi/v2` as the protobuf that kubectl reads: the patch of every kind with its query parameters. kubectl asks it about
 * a `List`, which is no kind of its own, before it applies one (kubectl 1.32); everything else it asks of version 3. Field
 * numbers: OpenAPIv2.proto of google/gnostic.
 */
export const openApiV2 = (kinds: readonly Kind[]): Buffer =>
  message([1, '2.0'], [2, message([1, 'Kubernetes'], [2, 'unversioned'])], [8, message(...kinds.map(pathItem))]);
