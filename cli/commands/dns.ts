import { Argument, Command } from 'commander';
import { type RecordType, readZone, recordTypes, writeZone, zoneFile } from '../../local/dns/zone.ts';
import { home } from '../connection.ts';
import { CommandFailure, exitCodes } from '../exit-codes.ts';
import { globals } from '../options.ts';
import { print } from '../print.ts';

/** A record that has no sense, or a file that is no zone, is the user's to mend. */
const checked = <Result>(work: () => Result): Result => {
  try {
    return work();
  } catch (error) {
    throw new CommandFailure(exitCodes.usage, (error as Error).message);
  }
};

const rowsOf = (zone: ReturnType<typeof readZone>) =>
  Object.entries(zone).flatMap(([name, records]) =>
    recordTypes.flatMap((type) => (records[type] ?? []).map((value) => ({ name, type, value }))),
  );

/** What customers would write at their registrars: the zone of the laptop's DNS. AWS has no part in it. */
export const dnsCommand = (): Command => {
  const dns = new Command('dns').description('records of the laptop’s DNS, for trying custom domains');

  dns
    .command('list')
    .description('all records')
    .action((_options: unknown, command: Command) => {
      const rows = rowsOf(checked(() => readZone(zoneFile(home()))));
      print(globals(command).output, { items: rows }, rows, [
        { title: 'name', value: ({ name }) => name },
        { title: 'type', value: ({ type }) => type },
        { title: 'value', value: ({ value }) => value },
      ]);
    });

  dns
    .command('set <name>')
    .description('gives a name these records of one type, instead of those that it had')
    .addArgument(new Argument('<type>', 'of the records').choices(recordTypes))
    .argument('<values...>', 'addresses, texts or the other name')
    .action((name: string, type: RecordType, values: string[]) => {
      const file = zoneFile(home());
      const key = name.toLowerCase();
      checked(() => {
        const zone = readZone(file);
        writeZone(file, { ...zone, [key]: { ...zone[key], [type]: values } });
      });
    });

  dns
    .command('remove <name>')
    .description('takes all records of a name away')
    .action((name: string) => {
      const file = zoneFile(home());
      checked(() => {
        const { [name.toLowerCase()]: _gone, ...rest } = readZone(file);
        writeZone(file, rest);
      });
    });

  return dns;
};
