// A process that runs handlers until it is killed: arguments are a directory, the bundled probe, and what to run.
import { join } from 'node:path';
import { openCredentialStore } from '../../../local/gateway/credentials.ts';
import { createLambdaService } from '../../../local/services/lambda.ts';
import { accountId, region, rootKey } from '../gateway/account.ts';

const [, , directory = '', file = '', ...events] = process.argv;

const lambda = createLambdaService({
  region,
  accountId,
  credentials: openCredentialStore({ file: join(directory, 'credentials.json'), accountId, ...rootKey }),
  endpoint: () => 'http://127.0.0.1:1',
  compileCacheDirectory: join(directory, 'compiled'),
  scratchDirectory: join(directory, 'scratch'),
  log: () => {},
});
lambda.define({ name: 'orphan', file, handler: 'handler', timeout: 600, memory: 128, environment: {} });
const ready = lambda.invoker.invoke('orphan', '{}');
const { pid } = JSON.parse((await ready).payload) as { pid: number };
process.stdout.write(`${pid}\n`);
await Promise.all(events.map((event) => lambda.invoker.invoke('orphan', event)));
