/** One field that differs; `undefined` where it is absent. */
export interface FieldChange {
  /** `spec.template.spec.containers[0].image` */
  readonly path: string;
  readonly from: unknown;
  readonly to: unknown;
}

const isObject = (value: unknown): value is Readonly<Record<string, unknown>> =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

/** Every field by which `to` differs from `from`, the outermost that says it all. Lists are compared place by place. */
export const fieldChanges = (from: unknown, to: unknown, path = ''): FieldChange[] => {
  if (Array.isArray(from) && Array.isArray(to))
    return Array.from({ length: Math.max(from.length, to.length) }, (_, index) => index).flatMap((index) =>
      fieldChanges(from[index], to[index], `${path}[${index}]`),
    );
  if (isObject(from) && isObject(to))
    return [...new Set([...Object.keys(from), ...Object.keys(to)])]
      .toSorted()
      .flatMap((name) => fieldChanges(from[name], to[name], path === '' ? name : `${path}.${name}`));
  return Object.is(from, to) ? [] : [{ path, from, to }];
};
