import type { V1Container, V1PodSpec } from '@kubernetes/client-node';
import { parseQuantity } from '../quantity.ts';
import type { FieldError } from '../status.ts';
import { isLabel, labelWords } from './names.ts';

const required = (field: string, why = ''): FieldError => ({
  field,
  reason: 'FieldValueRequired',
  message: why ? `Required value: ${why}` : 'Required value',
});

const invalidValue = (field: string, value: unknown, why: string): FieldError => ({
  field,
  reason: 'FieldValueInvalid',
  message: `Invalid value: ${JSON.stringify(value)}: ${why}`,
});

const duplicate = (field: string, value: string): FieldError => ({
  field,
  reason: 'FieldValueInvalid',
  message: `Duplicate value: ${JSON.stringify(value)}`,
});

const checkNames = (items: readonly { name?: string }[], field: string): FieldError[] => {
  const seen = new Set<string>();
  return items.flatMap(({ name = '' }, index) => {
    const at = `${field}[${index}].name`;
    if (name === '') return [required(at)];
    if (!isLabel(name)) return [invalidValue(at, name, labelWords)];
    if (seen.has(name)) return [duplicate(at, name)];
    seen.add(name);
    return [];
  });
};

const checkResources = ({ resources = {} }: V1Container, field: string): FieldError[] => {
  const { limits = {}, requests = {} } = resources;
  const malformed = (values: Readonly<Record<string, string>>, part: string): FieldError[] =>
    Object.entries(values)
      .filter(([, value]) => parseQuantity(value) === undefined)
      .map(([name, value]) =>
        invalidValue(
          `${field}.resources.${part}[${name}]`,
          value,
          "quantities must match the regular expression '^([+-]?[0-9.]+)([eEinumkKMGTP]*[-+]?[0-9]*)$'",
        ),
      );
  const faults = [...malformed(limits, 'limits'), ...malformed(requests, 'requests')];
  if (faults.length > 0) return faults;
  return Object.entries(requests).flatMap(([name, request]) => {
    const limit = limits[name];
    if (limit === undefined || parseQuantity(request)!.milli <= parseQuantity(limit)!.milli) return [];
    const why = `must be less than or equal to ${name} limit of ${limit}`;
    return [invalidValue(`${field}.resources.requests`, request, why)];
  });
};

const checkContainer = (container: V1Container, field: string, volumes: ReadonlySet<string>): FieldError[] => {
  const mounts = container.volumeMounts ?? [];
  const ports = container.ports ?? [];
  return [
    ...(container.image ? [] : [required(`${field}.image`)]),
    ...(container.env ?? []).flatMap(({ name }, index) => (name ? [] : [required(`${field}.env[${index}].name`)])),
    ...ports.flatMap(({ containerPort }, index) =>
      containerPort >= 1 && containerPort <= 65_535
        ? []
        : [
            invalidValue(
              `${field}.ports[${index}].containerPort`,
              containerPort,
              'must be between 1 and 65535, inclusive',
            ),
          ],
    ),
    ...mounts.flatMap(({ name }, index): FieldError[] =>
      volumes.has(name)
        ? []
        : [
            {
              field: `${field}.volumeMounts[${index}].name`,
              reason: 'FieldValueInvalid',
              message: `Not found: ${JSON.stringify(name)}`,
            },
          ],
    ),
    ...mounts.flatMap(({ mountPath }, index) =>
      mounts.findIndex((other) => other.mountPath === mountPath) === index
        ? []
        : [invalidValue(`${field}.volumeMounts[${index}].mountPath`, mountPath, 'must be unique')],
    ),
    ...checkResources(container, field),
  ];
};

/** What the schema cannot say of a pod's spec at `field`. Source: k8s.io/kubernetes pkg/apis/core/validation. */
export const checkPodSpec = (spec: V1PodSpec | undefined, field: string): FieldError[] => {
  if (!spec) return [];
  const { containers = [], initContainers = [], volumes = [] } = spec;
  const names = new Set(volumes.map(({ name }) => name));
  return [
    ...(containers.length > 0 ? [] : [required(`${field}.containers`)]),
    ...checkNames([...containers], `${field}.containers`),
    ...checkNames([...initContainers], `${field}.initContainers`),
    ...checkNames([...volumes], `${field}.volumes`),
    ...containers.flatMap((container, index) => checkContainer(container, `${field}.containers[${index}]`, names)),
    ...initContainers.flatMap((container, index) =>
      checkContainer(container, `${field}.initContainers[${index}]`, names),
    ),
  ];
};
