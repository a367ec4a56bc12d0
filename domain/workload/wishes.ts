import { type KubeObject, labelNames, objectName } from './object.ts';

/** An object as a restore wants it. */
export interface Wish {
  readonly object: KubeObject;
  /** `then`: as the backup has it, but for what Tenantry rules. `today`: as plan and place make it now. */
  readonly as: 'then' | 'today';
}

/** An object of a backup that no restore brings back. */
export interface LeftOut {
  readonly object: string;
  readonly why: string;
}

export interface Wishes {
  readonly wishes: readonly Wish[];
  readonly left: readonly LeftOut[];
}

/** Annotations of pod templates by which Tenantry makes pods start anew: those of the live object count, not those of then. */
export const restartMarks = ['tenantry.dev/config', 'tenantry.dev/restored'] as const;

/**
 * Kinds of Tenantry's own set that follow from plan, place and login: set back, they would lift a limit that the plan has now, cut
 * the app off from a database that has moved, or send hosts where the tenant is not.
 */
const ruled: ReadonlySet<string> = new Set([
  'ResourceQuota',
  'LimitRange',
  'NetworkPolicy',
  'ServiceAccount',
  'Role',
  'RoleBinding',
  'Secret',
  'PodDisruptionBudget',
  'HorizontalPodAutoscaler',
  'ServiceMonitor',
  'PodMonitor',
  'Ingress',
  'HTTPRoute',
]);

const routes: ReadonlySet<string> = new Set(['Ingress', 'HTTPRoute']);

/** Why an object that is not in today's set stays out; undefined when somebody made it by hand and may have it back. */
const objection = ({ kind, metadata }: KubeObject): string | undefined => {
  if (kind === 'Namespace') return 'it is made by plan and place, and keeps the books of what is in it';
  if (kind === 'Secret') return 'a backup has no values of secrets; make it again by hand';
  if (routes.has(kind)) return 'the registry says which hosts a tenant has; make it again by hand';
  if (metadata.labels?.[labelNames.applySet] !== undefined)
    return 'it was part of the app as plan and release made it then, and is none now';
  return undefined;
};

type Fields = Readonly<Record<string, unknown>>;

interface Container {
  readonly name: string;
  readonly resources?: unknown;
}

interface PodTemplate {
  readonly metadata?: KubeObject['metadata'];
  readonly spec?: Fields & { readonly containers?: readonly Container[] };
}

interface TemplatedSpec {
  readonly replicas?: number;
  readonly template?: PodTemplate;
}

/** Annotations without the marks, and with those of `marks` that it has. */
const marked = (
  annotations: Readonly<Record<string, string>> = {},
  marks: Readonly<Record<string, string>> = {},
): Record<string, string> => {
  const names: readonly string[] = restartMarks;
  return Object.fromEntries([
    ...Object.entries(annotations).filter(([name]) => !names.includes(name)),
    ...Object.entries(marks).filter(([name]) => names.includes(name)),
  ]);
};

/** A workload of then in the size of today's plan, with today's labels on its pods. */
const sized = (spec: Fields, today: TemplatedSpec): Fields => {
  const { replicas: _, template, ...rest } = spec as Fields & TemplatedSpec;
  const sizes = new Map(today.template?.spec?.containers?.map(({ name, resources }) => [name, resources]));
  const containers = (template?.spec?.containers ?? []).map((container) => ({
    ...container,
    ...(sizes.get(container.name) === undefined ? {} : { resources: sizes.get(container.name) }),
  }));
  return {
    ...rest,
    ...(today.replicas === undefined ? {} : { replicas: today.replicas }),
    template: {
      ...template,
      metadata: {
        ...template?.metadata,
        labels: { ...template?.metadata?.labels, ...today.template?.metadata?.labels },
        annotations: marked(template?.metadata?.annotations, today.template?.metadata?.annotations),
      },
      spec: { ...template?.spec, containers },
    },
  };
};

const merged = (then: KubeObject, today: KubeObject): KubeObject => {
  const labels = { ...then.metadata.labels, ...today.metadata.labels };
  const object = { ...then, metadata: { ...then.metadata, labels } };
  const todaySpec = today.spec as TemplatedSpec | undefined;
  if (then.kind === 'ConfigMap') return { ...object, data: { ...(then.data as Fields), ...(today.data as Fields) } };
  // A Job's template cannot be changed (Kubernetes, "Jobs").
  if (todaySpec?.template !== undefined && then.kind !== 'Job')
    return { ...object, spec: sized(then.spec as Fields, todaySpec) };
  return object;
};

const groupOf = ({ apiVersion }: KubeObject): string => apiVersion.split('/').slice(0, -1).join('/');

/** One object in whatever version of its kind. */
const identity = (object: KubeObject): string => `${groupOf(object)}/${object.kind} ${object.metadata.name}`;

/**
 * What a restore makes of objects of a backup in the namespace where the tenant is now. `today` is Tenantry's own set as a
 * deployment would apply it now, its route with it. Objects that were made by hand come back as they were; of the set's own ones
 * image, environment, Services and whatever else an app is made of, in today's size and with today's database, hosts and labels.
 */
export const wishesOf = (given: {
  readonly backup: readonly KubeObject[];
  readonly today: readonly KubeObject[];
  readonly namespace: string;
}): Wishes => {
  const today = new Map(given.today.map((object) => [identity(object), object]));
  const wishes: Wish[] = [];
  const left: LeftOut[] = [];
  for (const object of given.backup) {
    const own = object.kind === 'Namespace' ? undefined : today.get(identity(object));
    const why = own === undefined ? objection(object) : undefined;
    const here = { ...object, metadata: { ...object.metadata, namespace: given.namespace } };
    if (why !== undefined) left.push({ object: objectName(object.kind === 'Namespace' ? object : here), why });
    else if (own === undefined) wishes.push({ object: here, as: 'then' });
    else if (ruled.has(object.kind)) wishes.push({ object: own, as: 'today' });
    else wishes.push({ object: merged(here, own), as: 'then' });
  }
  return { wishes, left };
};

/** The wish with the restart marks of the object as it lives, so that restoring what did not change restarts nothing. */
export const withMarksOf = (wish: KubeObject, live: KubeObject | undefined): KubeObject => {
  const spec = wish.spec as (Fields & TemplatedSpec) | undefined;
  const marks = (live?.spec as TemplatedSpec | undefined)?.template?.metadata?.annotations;
  if (spec?.template === undefined || live === undefined) return wish;
  const { metadata } = spec.template;
  const annotations = marked(metadata?.annotations, marks);
  return {
    ...wish,
    spec: { ...spec, template: { ...spec.template, metadata: { ...metadata, annotations } as KubeObject['metadata'] } },
  };
};
