import { mkdirSync } from 'node:fs';
import { resolve } from 'node:path';
import { parseArgs } from 'node:util';
import { type Cloud, startCloud } from './cloud.ts';

const { values } = parseArgs({ options: { home: { type: 'string' }, port: { type: 'string' } } });
if (!values.home) throw new Error('--home is missing: the data directory of the local cloud');

const home = resolve(values.home);
mkdirSync(home, { recursive: true });

const describe = (cloud: Cloud): string =>
  [
    'tenantry 0.1.0  local cloud  (no AWS account, no Docker)',
    `  ok  PostgreSQL ${cloud.postgres.version} on ${cloud.postgres.host}:${cloud.postgres.port}`,
    `  ok  AWS endpoints (${cloud.serviceNames.join(' ')}) on ${cloud.endpoint}`,
    `  ok  ${cloud.machines} state machines, ${cloud.functions} functions, ${cloud.resumed} open executions go on`,
    `  ok  data in ${home}`,
    `Tenants   http://<tenant>.localhost:${cloud.port}`,
    'Next      npx tenantry tenant create acme      or      npm run demo (after npx tenantry down)',
  ].join('\n');

try {
  const cloud = await startCloud({
    home,
    root: resolve(import.meta.dirname, '..'),
    ...(values.port ? { port: Number(values.port) } : {}),
  });
  console.log(describe(cloud));
  const stop = (): void => {
    void cloud.close().then(() => process.exit(0));
  };
  process.once('SIGTERM', stop);
  process.once('SIGINT', stop);
} catch (error) {
  console.error(error instanceof Error ? error.message : error);
  process.exit(1);
}
