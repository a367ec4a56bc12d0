import { machineArnOf, openLaptop } from './laptop.ts';

/**
 * A life of an engine that the test kills. In the first one the bus never answers for the end of the execution; the second one
 * reports every event that it is told.
 */
const [directory = '', life = ''] = process.argv.slice(2);

const laptop = openLaptop({
  directory,
  tell: async (event) => {
    process.send?.(event);
    if (life === 'first' && (event.detail as { status: string }).status !== 'RUNNING') await new Promise(() => {});
  },
});

if (life === 'first') {
  await laptop.create('short', {
    StartAt: 'Fails',
    States: { Fails: { Type: 'Fail', Error: 'Broken', Cause: 'why' } },
  });
  await laptop.start(machineArnOf('short'), {}, 'one');
} else laptop.states.resume();
