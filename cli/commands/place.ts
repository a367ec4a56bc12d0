import { Command, Option } from 'commander';
import { isolations, tiers } from '../../domain/place.ts';
import type { PlacementExplanation } from '../../domain/placement-explanation.ts';
import type { CapacityEvidence } from '../../domain/quota.ts';
import { call, query } from '../api.ts';
import { exitCodes } from '../exit-codes.ts';
import { collect, globals, wholeNumber } from '../options.ts';
import { print, printRecord, tableLines } from '../print.ts';

interface PlaceOptions {
  readonly plan?: string;
  readonly users?: number;
  readonly compliance?: readonly string[];
  readonly customDomain?: string;
  readonly region?: string;
  readonly residency?: string;
  readonly tier?: string;
  readonly isolation?: string;
  readonly force?: boolean;
  readonly reason?: string;
  readonly explain?: boolean;
}

/** Options by which placements are decided, the same for a question, a signup and a change of plan. */
export const addPlacementOptions = (command: Command): Command =>
  command
    .option('--users <count>', 'people who use the app', wholeNumber(0, 100_000_000))
    .option('--compliance <name>', 'a requirement such as hipaa; once for each', collect)
    .addOption(new Option('--tier <tier>', 'where the app runs, instead of what the rules give').choices(tiers))
    .addOption(
      new Option('--isolation <kind>', 'where the rows live, instead of what the plan gives').choices(isolations),
    )
    .option('--force', 'takes a tier or isolation that the plan does not allow; needs --reason')
    .option('--reason <text>', 'kept in the audit');

const amount = (value: number): string => value.toFixed(2);

const quotaOf = ({ quota: { name, code, value, per }, beyondDefault }: CapacityEvidence): string => {
  if (value === null) return name;
  const text = `${value} ${name} per ${per}${code === null ? '' : ` (${code})`}`;
  return beyondDefault ? `${text}, needs an increase` : text;
};

const capacityColumns = [
  { title: 'cell', value: (row: CapacityEvidence) => row.cell },
  { title: 'kind', value: (row: CapacityEvidence) => row.kind },
  { title: 'name', value: (row: CapacityEvidence) => row.name },
  { title: 'used', value: (row: CapacityEvidence) => row.used, right: true },
  { title: 'of', value: (row: CapacityEvidence) => row.capacity, right: true },
  { title: 'left', value: (row: CapacityEvidence) => (row.open ? row.left : 'closed'), right: true },
  { title: 'AWS quota', value: quotaOf },
] as const;

const optionLines = ({ options }: PlacementExplanation): string[] => {
  const currency = options[0]!.cost.currency;
  return tableLines(options, [
    { title: '', value: ({ chosen }) => (chosen ? '>' : '') },
    { title: 'tier', value: ({ tier }) => tier },
    { title: 'isolation', value: ({ isolation }) => isolation },
    { title: `${currency}/month`, value: ({ cost }) => amount(cost.total), right: true },
    { title: 'of tier', value: ({ cost }) => amount(cost.tier), right: true },
    { title: 'pods', value: ({ cost }) => amount(cost.workload), right: true },
    { title: 'rows', value: ({ cost }) => amount(cost.isolation), right: true },
    { title: 'place', value: ({ where }) => where },
  ]);
};

const show = (command: Command, explanation: PlacementExplanation, explain: boolean): void => {
  const { plan, tier, isolation, rule, why, forced, options } = explanation;
  printRecord(globals(command).output, explanation, {
    plan,
    place: `${tier} tier, ${isolation}`,
    rule: `${rule}: ${why}`,
    forced: forced.join('; '),
    at: options[0]!.where,
    cost: `${amount(options[0]!.cost.total)} ${options[0]!.cost.currency} a month`,
  });
  if (!explain || globals(command).output === 'json') return;
  for (const lines of [optionLines(explanation), tableLines(explanation.capacity, capacityColumns)])
    console.log(`\n${lines.join('\n')}`);
};

const place = async (tenant: string | undefined, options: PlaceOptions, command: Command): Promise<void> => {
  const { explain = false, compliance, force, ...asked } = options;
  const explanation = await call<PlacementExplanation>(
    'GET',
    `/placements/explain${query({ ...asked, tenant, compliance: compliance?.join(','), force: force ? 'true' : undefined })}`,
  );
  show(command, explanation, explain);
  if (explanation.decision.kind === 'no-capacity') process.exitCode = exitCodes.executionFailed;
};

export const placeCommand = (): Command => {
  const command = addPlacementOptions(
    new Command('place')
      .argument('[tenant]', 'whose plan, users and regions count unless told otherwise; nobody: a new one')
      .description('where a tenant would go, and why; takes nothing')
      .option('--plan <plan>', 'what it bought')
      .option('--custom-domain <domain>', 'a domain of its own')
      .option('--region <region>', 'preferred region')
      .option('--residency <region>', 'region that its data must not leave')
      .option('--explain', 'also what else its plan allows, with costs, and how much room every cell has'),
  ).action(place);
  command.addCommand(
    new Command('capacity')
      .description('how much room every cell has, and the AWS quota behind it')
      .action(async (_options: unknown, sub: Command) => {
        const page = await call<{ items: CapacityEvidence[] }>('GET', '/placements/capacity');
        print(globals(sub).output, page, page.items, capacityColumns);
      }),
  );
  return command;
};
