import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { Command } from 'commander';
import type { SchemaAdoption, SchemaLint } from '../../adapters/catalog/adopt-schema.ts';
import type { AdoptionRequest } from '../../domain/adoption/facts.ts';
import { type FailureName, StepFailure } from '../../domain/errors.ts';
import type { SchemaFinding } from '../../domain/schema-rule.ts';
import { readServerFile } from '../../local/postgres/cluster.ts';
import { connectedCloud, home, projectRoot } from '../connection.ts';
import { CommandFailure, type ExitCode, exitCodes } from '../exit-codes.ts';
import { collect, globals } from '../options.ts';
import { faint, green, red, yellow } from '../print.ts';

type Client = Parameters<Parameters<typeof import('../../adapters/catalog/open-database.ts')['withDatabase']>[1]>[0];

interface Where {
  readonly database?: string;
  readonly migrations?: string;
}

const codes: Partial<Record<FailureName, ExitCode>> = {
  InvalidStepInput: exitCodes.usage,
  DatabaseUnavailable: exitCodes.notFound,
};

/** Rights and settings that PostgreSQL itself refuses: permission, and rows that row-level security hides. */
const sqlFailure = (error: Error & { code?: unknown }): CommandFailure | undefined =>
  typeof error.code === 'string' && /^[0-9A-Z]{5}$/.test(error.code)
    ? new CommandFailure(
        error.code === '42501' ? exitCodes.forbidden : exitCodes.executionFailed,
        `the database refuses: ${error.message} (${error.code})`,
      )
    : undefined;

const telling = async <Result>(work: () => Promise<Result>): Promise<Result> => {
  try {
    return await work();
  } catch (error) {
    if (error instanceof StepFailure)
      throw new CommandFailure(codes[error.name] ?? exitCodes.executionFailed, error.message);
    throw (error instanceof Error && sqlFailure(error)) || error;
  }
};

const migrationsOf = (folder: string): { version: string; sql: string }[] => {
  let files: string[];
  try {
    files = readdirSync(folder).filter((name) => name.endsWith('.sql'));
  } catch (error) {
    throw new CommandFailure(
      exitCodes.notFound,
      `--migrations: ${folder} cannot be read (${(error as Error).message})`,
    );
  }
  if (files.length === 0)
    throw new CommandFailure(
      exitCodes.notFound,
      `--migrations: ${folder} has no .sql file; name the folder that has them`,
    );
  return files.sort().map((version) => ({ version, sql: readFileSync(join(folder, version), 'utf8') }));
};

/** The database that the options name, else that of PGDATABASE or PGHOST, else the migrations in a scratch database. */
const onSchema = <Result>(options: Where, work: (client: Client) => Promise<Result>): Promise<Result> =>
  telling(async () => {
    // Loaded here: pg would cost every other command its time.
    const { withDatabase, withScratch } = await import('../../adapters/catalog/open-database.ts');
    if (options.database !== undefined && options.migrations !== undefined)
      throw new CommandFailure(exitCodes.usage, '--database and --migrations: both name a schema; give one of them');
    const { PGDATABASE, PGHOST } = process.env;
    if (options.database !== undefined || (options.migrations === undefined && (PGDATABASE || PGHOST))) {
      if (options.database === undefined)
        console.error(
          faint(`reading the database of the PG* environment (${PGDATABASE ?? 'default'} on ${PGHOST ?? 'localhost'})`),
        );
      return withDatabase(options.database, work);
    }
    const folder = resolve(options.migrations ?? join(projectRoot, 'sample-app', 'schema'));
    const migrations = migrationsOf(folder);
    const { postgres } = connectedCloud();
    const login = readServerFile(join(home(), 'postgres'));
    if (!login)
      throw new CommandFailure(
        exitCodes.notFound,
        `${home()}/postgres has no server.json; start the cloud again: npm start`,
      );
    console.error(faint(`reading what the ${migrations.length} migrations of ${folder} make`));
    return withScratch({ ...postgres, username: login.username, password: login.password }, migrations, work);
  });

const printFindings = (findings: readonly SchemaFinding[]): void => {
  for (const { object, breaks, fix } of findings) console.log(`${object}\n  why  ${breaks}\n  fix  ${fix}`);
};

const count = (number: number, noun: string): string => `${number} ${noun}${number === 1 ? '' : 's'}`;

const reportLint = (command: Command, lint: SchemaLint): void => {
  if (globals(command).output === 'json') console.log(JSON.stringify(lint, null, 2));
  else {
    printFindings(lint.findings);
    if (lint.shared.length > 0) console.error(faint(`shared by all tenants: ${lint.shared.join(', ')}`));
    const verdict = `${count(lint.tables.length, 'tenant table')}, ${count(lint.findings.length, 'finding')}`;
    console.error(lint.findings.length === 0 ? green(verdict) : red(verdict));
  }
  if (lint.findings.length > 0) process.exitCode = exitCodes.executionFailed;
};

const writeMigration = (file: string, sql: string): void => {
  try {
    writeFileSync(file, sql, { flag: 'wx' });
  } catch (error) {
    const { code, message } = error as NodeJS.ErrnoException;
    if (code === 'EEXIST')
      throw new CommandFailure(
        exitCodes.conflict,
        `--out: ${file} is there already; a migration is never changed, name a new file`,
      );
    throw new CommandFailure(exitCodes.executionFailed, `--out: ${file} cannot be written (${message})`);
  }
};

const reportAdoption = (command: Command, adoption: SchemaAdoption, file: string | undefined): void => {
  const json = globals(command).output === 'json';
  if (adoption.outcome === 'planned' && file !== undefined) writeMigration(file, adoption.sql);
  if (json) console.log(JSON.stringify(adoption, null, 2));
  if (adoption.outcome === 'refused') {
    if (!json) printFindings(adoption.refusals);
    console.error(red(`refused for ${count(adoption.refusals.length, 'reason')}; nothing was written`));
    process.exitCode = exitCodes.executionFailed;
    return;
  }
  if (adoption.shared.length > 0)
    console.error(yellow(`shared by all tenants, read-only for the app: ${adoption.shared.join(', ')}`));
  if (adoption.outcome === 'adopted') {
    console.error(green('nothing to do: the schema carries the tenant already'));
    return;
  }
  if (!json && file === undefined) console.log(adoption.sql);
  console.error(
    green(`${count(adoption.filled.length, 'table')} get tenant_id${file === undefined ? '' : `: ${file}`}`),
  );
};

interface AdoptOptions extends Where {
  readonly tenantRoot: string;
  readonly tenantKey?: string;
  readonly tenantPrefix?: string;
  readonly tenantColumn?: readonly string[];
  readonly reference?: readonly string[];
  readonly unmaterialize?: readonly string[];
  readonly out?: string;
}

const requestOf = (options: AdoptOptions): AdoptionRequest => ({
  tenantRoot: options.tenantRoot,
  tenantKey: options.tenantKey,
  tenantPrefix: options.tenantPrefix,
  tenantColumns: options.tenantColumn ?? [],
  references: options.reference ?? [],
  unmaterialize: options.unmaterialize ?? [],
});

const schemaOf = (command: Command): Command =>
  command
    .option(
      '--database <url>',
      'postgres://user:password@host:port/database; without it PGDATABASE and PGHOST, where set',
    )
    .option(
      '--migrations <folder>',
      'what its .sql files make on the running cloud; without all of these the sample app',
    );

export const schemaCommand = (): Command => {
  const schema = new Command('schema').description(
    'what an app’s tables need to hold many tenants (docs/app-contract.md)',
  );

  schemaOf(schema.command('lint'))
    .description('names every object that breaks the schema rule, why, and the fix; exit code 1 when there is one')
    .action(async (options: Where, command: Command) => {
      const { lintSchema } = await import('../../adapters/catalog/adopt-schema.ts');
      reportLint(command, await onSchema(options, lintSchema));
    });

  schemaOf(schema.command('adopt'))
    .description('writes the migration that ties every table to its tenant; only reads the database')
    .requiredOption('--tenant-root <table>', 'the table with one row per tenant')
    .option('--tenant-key <column>', 'its column that becomes the tenant id; without it its primary key')
    .option('--tenant-prefix <text>', 'stands before the key in a tenant id; "t-" for keys that are no text')
    .option(
      '--tenant-column <column>',
      'schema.table.column, or a column of any table, that holds the root’s key; repeatable',
      collect,
    )
    .option('--reference <table>', 'a table that all tenants share; repeatable', collect)
    .option('--unmaterialize <view>', 'a materialized view that may become a plain view; repeatable', collect)
    .option('--out <file>', 'where the migration goes; without it to standard output')
    .action(async (options: AdoptOptions, command: Command) => {
      const { adoptSchema } = await import('../../adapters/catalog/adopt-schema.ts');
      const adoption = await onSchema(options, (client) => adoptSchema(client, requestOf(options)));
      reportAdoption(command, adoption, options.out === undefined ? undefined : resolve(options.out));
    });

  return schema;
};
