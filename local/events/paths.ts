import { ServiceError } from '../gateway/service.ts';

type Step = { readonly name: string } | { readonly index: number } | { readonly every: true };

/** `.name`, `['name']`, `[0]`, `[*]`: the part of JSONPath that EventBridge takes. */
const stepPattern = /\.([\w-]+)|\[(?:'([^']+)'|"([^"]+)"|(\d+)|(\*))\]/y;

/** Compiles `$.a.b[0]`; the answer is undefined where the event has no such place. Throws ValidationException naming `field`. */
export const compilePath = (path: string, field: string): ((event: unknown) => unknown) => {
  const refuse = (): never => {
    throw new ServiceError(
      'ValidationException',
      `Invalid JSON path "${path}" in ${field}. Reason: write it as $.detail.name, $.detail['name'], [0] or [*].`,
      { status: 400 },
    );
  };
  if (!path.startsWith('$')) return refuse();
  const steps: Step[] = [];
  stepPattern.lastIndex = 1;
  while (stepPattern.lastIndex < path.length) {
    const found = stepPattern.exec(path);
    if (found === null) return refuse();
    const [, bare, single, double, index, every] = found;
    const name = bare ?? single ?? double;
    if (name !== undefined) steps.push({ name });
    else if (every === undefined) steps.push({ index: Number(index) });
    else steps.push({ every: true });
  }
  const walk = (value: unknown, from: number): unknown => {
    const step = steps[from];
    if (step === undefined || value === undefined) return value;
    if ('every' in step)
      return Array.isArray(value)
        ? value.map((item) => walk(item, from + 1)).filter((item) => item !== undefined)
        : undefined;
    if ('index' in step) return Array.isArray(value) ? walk(value[step.index], from + 1) : undefined;
    const isPlace = value !== null && typeof value === 'object' && Object.hasOwn(value, step.name);
    return isPlace ? walk((value as Record<string, unknown>)[step.name], from + 1) : undefined;
  };
  return (event) => walk(event, 0);
};
