import type { IncomingMessage, ServerResponse } from 'node:http';
import { afterEach, beforeEach } from 'vitest';
import type { HttpApiEvent } from '../../../local/ingress/http-api.ts';
import { createIngress } from '../../../local/ingress.ts';
import { listen, type TestServer } from './http.ts';

export const token = 'token-of-this-run';
export const authorised = { host: 'api.localhost', authorization: `Bearer ${token}` };

/** What stands behind the ingress; a test may put something else in the place of each. */
export interface Behind {
  app: TestServer;
  /** Where the ingress looks for the app of every host; undefined when it does not run. */
  appPort: number | undefined;
  serveApp: (request: IncomingMessage, response: ServerResponse) => void;
  answer: (event: HttpApiEvent) => Promise<unknown>;
  /** What the function of the operator API was called with. */
  readonly events: HttpApiEvent[];
}

/** For each test of the file that imports this: an ingress of its own. */
export let ingress: TestServer;
/** The app tells what it was asked for, the operator API that all is well. */
export let behind: Behind;

beforeEach(async () => {
  const app = await listen((incoming, response) => behind.serveApp(incoming, response));
  behind = {
    app,
    appPort: app.port,
    serveApp: (incoming, response) => response.end(JSON.stringify({ url: incoming.url, headers: incoming.headers })),
    answer: () =>
      Promise.resolve({ statusCode: 200, headers: { 'content-type': 'application/json' }, body: '{"ok":true}' }),
    events: [],
  };
  ingress = await listen(
    createIngress({
      appPort: () => behind.appPort,
      token,
      invokeOperatorApi: (event) => {
        behind.events.push(event);
        return behind.answer(event);
      },
    }),
  );
});

afterEach(async () => {
  await ingress.close();
  await behind.app.close();
});
