import { Command, CommanderError, Option } from 'commander';
import { backupCommand } from './commands/backup.ts';
import { cloudCommands } from './commands/cloud.ts';
import { demoCommand } from './commands/demo.ts';
import { doctorCommand } from './commands/doctor.ts';
import { eventCommand } from './commands/event.ts';
import { execCommand } from './commands/exec.ts';
import { restoreCommand } from './commands/restore.ts';
import { tenantCommand } from './commands/tenant.ts';
import { CommandFailure, exitCodes } from './exit-codes.ts';
import { red } from './print.ts';

const program = new Command('tenantry')
  .description('Runs every customer of a SaaS product on the infrastructure it needs.')
  .version('0.1.0')
  .addOption(new Option('-o, --output <format>', 'what is printed').choices(['table', 'json']).default('table'))
  .addOption(new Option('--timeout <seconds>', 'how long to wait for an execution').default(600).argParser(Number))
  .option('--no-wait', 'print the id of the execution and do not wait for its end')
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
  execCommand(),
  eventCommand(),
])
  program.addCommand(command);

const exitOnCommander = (command: Command): void => {
  command.exitOverride();
  command.commands.forEach(exitOnCommander);
};
exitOnCommander(program);

try {
  await program.parseAsync();
} catch (error) {
  if (error instanceof CommanderError) process.exitCode = error.exitCode === 0 ? exitCodes.ok : exitCodes.usage;
  else if (error instanceof CommandFailure) {
    console.error(red(error.message));
    process.exitCode = error.exitCode;
  } else throw error;
}
