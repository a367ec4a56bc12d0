import { appendFileSync, existsSync, watch } from 'node:fs';
import { join } from 'node:path';
import { functionArn, machineArnOf, openLaptop } from './laptop.ts';

/**
 * One life of an engine, in a process of its own that the test kills. Handlers write a line for each call; those whose name is
 * held answer only once a file `release` stands in the folder. Messages to the test: every event that a call makes.
 */
const [directory = '', life = ''] = process.argv.slice(2);
const calls = join(directory, 'calls.log');
const release = join(directory, 'release');

const released = new Promise<void>((resolve) => {
  const look = (): void => {
    if (existsSync(release)) resolve();
  };
  watch(directory, look);
  look();
});

const record = (line: string): void => {
  appendFileSync(calls, `${life} ${line}\n`);
  process.send?.({ call: line });
};

const laptop = openLaptop({
  directory,
  handlers: {
    quick: (event: { id: string }) => {
      record(event.id);
      return event.id;
    },
    held: async (event: { id: string }) => {
      record(event.id);
      await released;
      return event.id;
    },
    flaky: (event: { id: string }) => {
      record(event.id);
      if (life === 'first') throw Object.assign(new Error('not yet'), { name: 'TenantBusy' });
      return event.id;
    },
    ask: (event: { token: string }) => {
      record('ask');
      process.send?.({ token: event.token });
    },
  },
});

const call = (name: string, id: string, fields: object = {}): object => ({
  Type: 'Task',
  Resource: functionArn(name),
  Arguments: { id },
  End: true,
  ...fields,
});

const line = (name: string, state: object): object => ({ StartAt: name, States: { [name]: state } });

/** The third iteration stands at a held task when the others before it are over and those after it have not begun. */
const iteration = {
  StartAt: 'Quick',
  States: {
    Quick: call('quick', "{% 'quick-' & $states.input %}", {
      End: undefined,
      Next: 'Which',
      Output: '{% $states.context.Map.Item.Value %}',
    }),
    Which: {
      Type: 'Choice',
      Choices: [{ Condition: '{% $states.input = 2 %}', Next: 'Held' }],
      Default: 'Through',
    },
    Held: call('held', 'item-2'),
    Through: { Type: 'Pass', End: true },
  },
};

const machines: Readonly<Record<string, object>> = {
  child: {
    StartAt: 'ChildFirst',
    States: {
      ChildFirst: call('quick', 'child-first', { End: undefined, Next: 'ChildHeld' }),
      ChildHeld: call('held', 'child-held'),
    },
  },
  everything: {
    StartAt: 'First',
    States: {
      First: call('quick', 'first', { End: undefined, Assign: { v: '{% $uuid() %}' }, Next: 'All' }),
      All: {
        Type: 'Parallel',
        Branches: [
          line('Task', call('held', 'task')),
          {
            StartAt: 'Pause',
            States: {
              Pause: { Type: 'Wait', Seconds: 2, Next: 'AfterPause' },
              AfterPause: call('quick', 'after-pause'),
            },
          },
          line('Map', {
            Type: 'Map',
            Items: '{% $range(0, 5, 1) %}',
            MaxConcurrency: 1,
            ItemProcessor: iteration,
            End: true,
          }),
          line('Token', {
            Type: 'Task',
            Resource: 'arn:aws:states:::lambda:invoke.waitForTaskToken',
            TimeoutSeconds: 600,
            Arguments: { FunctionName: functionArn('ask'), Payload: { token: '{% $states.context.Task.Token %}' } },
            End: true,
          }),
          line(
            'Backoff',
            call('flaky', 'backoff', { Retry: [{ ErrorEquals: ['TenantBusy'], IntervalSeconds: 2, MaxAttempts: 1 }] }),
          ),
          line('Nested', {
            Type: 'Task',
            Resource: 'arn:aws:states:::states:startExecution.sync:2',
            Arguments: { StateMachineArn: machineArnOf('child') },
            Output: '{% $states.result.Output %}',
            End: true,
          }),
        ],
        Next: 'Last',
      },
      Last: call('quick', 'last', { Output: '{% {"all": $states.input, "v": $v} %}' }),
    },
  },
};

process.on('message', ({ token }: { token: string }) => {
  void laptop.call('SendTaskSuccess', { taskToken: token, output: '"answered"' });
});

if (life === 'first') {
  for (const [name, definition] of Object.entries(machines)) await laptop.create(name, definition);
  process.send?.({ started: await laptop.start(machineArnOf('everything'), {}, 'one') });
} else {
  const arns = laptop.states.resume();
  process.send?.({ resumed: arns });
  const arn = arns.find((name) => name.endsWith(':one'))!;
  process.send?.({ ended: await laptop.ended(arn), history: await laptop.history(arn) });
}
