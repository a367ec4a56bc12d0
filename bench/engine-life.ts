import { createStatesService } from '../local/services/states.ts';

/**
 * One life of an engine for the bench, in a process of its own: `first` starts executions whose task never answers and reports
 * when all are at it; `second` resumes them, answers every task and reports when all have ended.
 */
const [directory = '', life = '', count = '0'] = process.argv.slice(2);
const total = Number(count);
let invoked = 0;
let ended = 0;
const report = (): void => void process.send?.('ready');

const states = createStatesService({
  directory,
  region: 'eu-central-1',
  accountId: '000000000000',
  integrations: {
    functions: {
      invoke: async () => {
        invoked += 1;
        if (life !== 'first') return { payload: '{}' };
        if (invoked === total) report();
        return new Promise(() => {});
      },
    },
    events: { putEvents: async () => ({ FailedEntryCount: 0, Entries: [] }) },
    objects: {
      get: () => Promise.reject(new Error('no objects here')),
      put: () => Promise.reject(new Error('no objects here')),
      list: async function* () {},
    },
  },
  onEnd: () => {
    ended += 1;
    if (life === 'second' && ended === total) report();
  },
});

const machine = {
  QueryLanguage: 'JSONata',
  StartAt: 'Work',
  States: {
    Work: {
      Type: 'Task',
      Resource: 'arn:aws:lambda:eu-central-1:000000000000:function:work',
      TimeoutSeconds: 600,
      Next: 'Done',
    },
    Done: { Type: 'Succeed' },
  },
};

if (life === 'first') {
  const name = 'open';
  const roleArn = 'arn:aws:iam::000000000000:role/states';
  await states.operations.CreateStateMachine!({ name, roleArn, definition: JSON.stringify(machine) }, {} as never);
  const arn = `arn:aws:states:eu-central-1:000000000000:stateMachine:${name}`;
  await Promise.all(Array.from({ length: total }, (_, index) => states.start(arn, '{}', `open-${index}`)));
} else {
  states.resume();
}
