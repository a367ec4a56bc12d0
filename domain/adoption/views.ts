import type { SchemaFinding } from '../schema-rule.ts';
import type { AdoptionFacts, AdoptionView } from './facts.ts';

export interface ViewPlan {
  /** Dropped in the reverse of this order and made again in this order, each with security_invoker. */
  readonly rebuilt: readonly AdoptionView[];
  /** Views that only have to change whose rights they use. */
  readonly invokers: readonly string[];
  readonly refusals: readonly SchemaFinding[];
}

/** Views that read one of `names`, directly or through other views. */
const readersOf = (views: readonly AdoptionView[], names: ReadonlySet<string>): AdoptionView[] => {
  const reached = new Set(names);
  return views.filter((view) => {
    if (!view.reads.some((name) => reached.has(name))) return false;
    reached.add(view.path);
    return true;
  });
};

const refuseView = (
  view: AdoptionView,
  widened: ReadonlySet<string>,
  allowed: ReadonlySet<string>,
): SchemaFinding[] => {
  const object = view.path;
  const grouped = view.groupsBy.filter((table) => widened.has(table));
  return [
    ...(view.materialized && !allowed.has(object)
      ? [
          {
            object,
            breaks: 'a materialized view has no row-level security: it shows every tenant to whoever may read it',
            fix: `name it with --unmaterialize ${object} to make it a plain view (REFRESH then fails), or drop it`,
          },
        ]
      : []),
    ...grouped.map((table) => ({
      object,
      breaks: `it groups by the primary key of ${table} alone, which becomes one of two columns`,
      fix: 'name every selected column of that table in its GROUP BY',
    })),
  ];
};

const refuseRebuilding = (view: AdoptionView, rebuilt: ReadonlySet<string>): SchemaFinding[] => [
  ...view.users
    .filter((user) => !rebuilt.has(user))
    .map((user) => ({
      object: view.path,
      breaks: `it has to be made again, and ${user} depends on it`,
      fix: `drop ${user} before the adoption and make it again afterwards`,
    })),
  ...view.rules.map((rule) => ({
    object: view.path,
    breaks: `it has to be made again, and rule ${rule} would be lost`,
    fix: 'make the rule an INSTEAD OF trigger',
  })),
];

/** What happens to the views that read tenant tables; `widened` are the tables whose primary key changes. */
export const planViews = (
  facts: AdoptionFacts,
  tied: ReadonlySet<string>,
  widened: ReadonlySet<string>,
  unmaterialize: ReadonlySet<string>,
): ViewPlan => {
  const reading = readersOf(facts.views, tied);
  const converted = new Set(reading.filter(({ materialized }) => materialized).map(({ path }) => path));
  const above = readersOf(reading, converted);
  const rebuilt = reading.filter((view) => converted.has(view.path) || above.includes(view));
  const names = new Set(rebuilt.map(({ path }) => path));
  return {
    rebuilt,
    invokers: reading.filter(({ path, invoker }) => !invoker && !names.has(path)).map(({ path }) => path),
    refusals: [
      ...reading.flatMap((view) => refuseView(view, widened, unmaterialize)),
      ...rebuilt.flatMap((view) => refuseRebuilding(view, names)),
    ],
  };
};
