import type { V1Container, V1PodSpec } from '@kubernetes/client-node';
import { limitRangeKind, podKind } from '../kinds.ts';
import { formatQuantity, parseQuantity } from '../quantity.ts';
import { forbidden } from '../status.ts';
import type { AdmissionRequest } from './request.ts';

type Amounts = Readonly<Record<string, string>>;

/** As on the wire: client-node calls `default` `_default`. */
interface LimitRangeItem {
  readonly type: string;
  readonly default?: Amounts;
  readonly defaultRequest?: Amounts;
  readonly min?: Amounts;
  readonly max?: Amounts;
}

const itemsOf = ({ objects, object }: AdmissionRequest): LimitRangeItem[] =>
  objects
    .list(limitRangeKind, object.metadata.namespace)
    .flatMap(({ spec }) => (spec as { limits: LimitRangeItem[] }).limits)
    .filter(({ type }) => type === 'Container');

const fill = (container: V1Container, item: LimitRangeItem): void => {
  const resources = container.resources ?? {};
  container.resources = resources;
  // What the container asks for itself counts before the range's own default request.
  const limits = { ...item.default, ...resources.limits };
  const requests = { ...item.defaultRequest, ...resources.limits, ...resources.requests };
  if (Object.keys(limits).length > 0) resources.limits = limits;
  if (Object.keys(requests).length > 0) resources.requests = requests;
};

const text = (value: string): string => {
  const quantity = parseQuantity(value);
  return quantity ? formatQuantity(quantity) : value;
};

const amount = (value: string | undefined): bigint => parseQuantity(value)?.milli ?? 0n;

const faultsOf = ({ resources = {} }: V1Container, { min = {}, max = {} }: LimitRangeItem): string[] => [
  ...Object.entries(min).flatMap(([name, least]) => {
    const request = resources.requests?.[name];
    const rule = `minimum ${name} usage per Container is ${text(least)}`;
    if (request === undefined) return [`${rule}.  No request is specified`];
    return amount(request) < amount(least) ? [`${rule}, but request is ${text(request)}`] : [];
  }),
  ...Object.entries(max).flatMap(([name, most]) => {
    const limit = resources.limits?.[name];
    const rule = `maximum ${name} usage per Container is ${text(most)}`;
    if (limit === undefined) return [`${rule}.  No limit is specified`];
    return amount(limit) > amount(most) ? [`${rule}, but limit is ${text(limit)}`] : [];
  }),
];

/**
 * Gives the containers of a new pod the defaults of the namespace's LimitRanges, then refuses what lies outside of them.
 * Source: k8s.io/kubernetes plugin/pkg/admission/limitranger.
 */
export const admitLimitRange = (request: AdmissionRequest): void => {
  const { kind, object, before } = request;
  if (kind !== podKind || before) return;
  const items = itemsOf(request);
  const { containers = [], initContainers = [] } = object.spec as V1PodSpec;
  const all = [...containers, ...initContainers];
  for (const item of items) for (const container of all) fill(container, item);
  const faults = items.flatMap((item) => all.flatMap((container) => faultsOf(container, item)));
  if (faults.length > 0)
    throw forbidden(kind, object.metadata.name, faults.length === 1 ? faults[0]! : `[${faults.join(', ')}]`);
};
