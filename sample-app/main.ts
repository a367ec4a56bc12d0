import { randomBytes } from 'node:crypto';
import { serve } from '@hono/node-server';
import { createGate } from '../app-kit/access.ts';
import { tenancyFromEnvironment } from '../app-kit/tenancy.ts';
import { createChat } from './server.ts';

/**
 * The chat as a process. Environment: that of `tenancyFromEnvironment`, PORT (0: any, told to the parent by IPC), HOST (127.0.0.1),
 * SAMPLE_APP_SESSION_SECRET (shared by all processes; without it sessions end with the process), SAMPLE_APP_OPEN_LOGIN=1 for a demo.
 */
const tenancy = tenancyFromEnvironment();
const log = (line: string): void => {
  process.stderr.write(`${line}\n`);
};
const chat = createChat({
  tenancy,
  gate: createGate(process.env.SAMPLE_APP_SESSION_SECRET ?? randomBytes(32).toString('hex')),
  openLogin: process.env.SAMPLE_APP_OPEN_LOGIN === '1',
  log,
});
const server = serve(
  { fetch: chat.fetch, port: Number(process.env.PORT ?? 0), hostname: process.env.HOST ?? '127.0.0.1' },
  ({ port }) => {
    process.send?.({ port });
    log(`chat on port ${port}`);
  },
);
// Requests under way may finish; whoever stops us kills after its own patience.
const stop = (): void => {
  server.close(() => void tenancy.close().then(() => process.exit(0)));
  if ('closeIdleConnections' in server) server.closeIdleConnections();
};
process.once('SIGTERM', stop);
process.once('SIGINT', stop);
process.once('disconnect', stop);
