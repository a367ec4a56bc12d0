import { Command, CommanderError, Option } from 'commander';
import { backupCommand } from './commands/backup.ts';
import { cloudCommands } from './commands/cloud.ts';
import { demoCommand } from './commands/demo.ts';
import { dnsCommand } from './commands/dns.ts';
import { doctorCommand } from './commands/doctor.ts';
import { domainCommand } from './commands/domain.ts';
import { drillCommand } from './commands/drill.ts';
import { eventCommand } from './commands/event.ts';
import { execCommand } from './commands/exec.ts';
import { kubeconfigCommand } from './commands/kubeconfig.ts';
import { migrateCommand } from './commands/migrate.ts';
import { placeCommand } from './commands/place.ts';
import { restoreCommand } from './commands/restore.ts';
import { schemaCommand } from './commands/schema.ts';
import { tenantCommand } from './commands/tenant.ts';
import { CommandFailure, exitCodes } from './exit-codes.ts';
import { wholeNumber } from './options.ts';
import { red } from './print.ts';

const program = new Command('tenantry')
  .description('Runs every customer of a SaaS product on the infrastructure it needs.')
  .version('0.1.0')
  .addOption(new Option('-o, --output <format>', 'what is printed').choices(['table', 'json']).default('table'))
  .addOption(
    new Option('--timeout <seconds>', 'how long to wait for an execution; then exit code 6, and it goes on')
      .default(600)
      .argParser(wholeNumber(1, 604_800)),
  )
  .option('--no-wait', 'print the id of the execution and do not wait for its end')
  .addHelpText(
    'after',
    `
Data goes to standard output, progress and questions to standard error. Times are UTC.
Exit codes: 0 done, 1 failed, 2 usage, 3 forbidden, 4 not found, 5 conflict, 6 still running after --timeout,
7 confirmation missing, 8 waits for approval, 130 interrupted (the execution goes on).`,
  )
  .showSuggestionAfterError()
  .showHelpAfterError('(add --help for the options)')
  .exitOverride();

for (const command of [
  ...cloudCommands(),
  doctorCommand(),
  demoCommand(),
  tenantCommand(),
  backupCommand(),
  restoreCommand(),
  migrateCommand(),
  domainCommand(),
  placeCommand(),
  drillCommand(),
  execCommand(),
  eventCommand(),
  schemaCommand(),
  kubeconfigCommand(),
  dnsCommand(),
])
  program.addCommand(command);

const exitOnCommander = (command: Command): void => {
  command.exitOverride();
  command.commands.forEach(exitOnCommander);
};
exitOnCommander(program);

// A reader that has seen enough (`| head`) is no failure of this command.
process.stdout.on('error', (error: NodeJS.ErrnoException) => {
  if (error.code === 'EPIPE') process.exit(exitCodes.ok);
  throw error;
});

try {
  await program.parseAsync();
} catch (error) {
  if (error instanceof CommanderError) process.exitCode = error.exitCode === 0 ? exitCodes.ok : exitCodes.usage;
  else if (error instanceof CommandFailure) {
    console.error(red(error.message));
    process.exitCode = error.exitCode;
  } else throw error;
}
