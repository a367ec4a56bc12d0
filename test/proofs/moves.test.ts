import { describe, test } from 'vitest';
import { switchSteps } from '../../adapters/replication/switch.ts';
import { surviveCrash, useCrashWorlds, victims } from '../adapters/replication/crash.ts';
import { newestInstalled } from '../adapters/replication/servers.ts';

const installed = newestInstalled();

/** Every victim at every numbered step, about 3 s each; with the newest major version at one end where it is installed. */
const worlds: [string, string | undefined][] = [
  ['two servers of one version', undefined],
  ...(installed ? ([['two servers of two versions', installed]] as [string, string][]) : []),
];

describe.each(worlds)('on %s', (_, other) => {
  const world = useCrashWorlds(other);

  describe.each(victims)('a cut-over survives the death of its %s', (victim) => {
    test.each(switchSteps)('at %s', (step) => surviveCrash(world(), victim, step), 120_000);
  });
});
