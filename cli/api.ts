import { request } from 'node:http';
import { userInfo } from 'node:os';
import { connectedCloud } from './connection.ts';
import { CommandFailure, type ExitCode, exitCodes, Unreachable } from './exit-codes.ts';

/** RFC 9457 problem, as the operator API answers it. */
interface Problem {
  readonly title?: string;
  readonly detail?: string | undefined;
  readonly code?: string;
}

/** Longer than every long poll of the API (20 s) and than its function may run (30 s). */
const answerWithin = 60_000;

const exitCodeOf = (status: number): ExitCode => {
  if (status === 401 || status === 403) return exitCodes.forbidden;
  if (status === 404) return exitCodes.notFound;
  if (status === 409 || status === 412) return exitCodes.conflict;
  if (status >= 500) return exitCodes.executionFailed;
  return exitCodes.usage;
};

const problemOf = (text: string): Problem => {
  try {
    return JSON.parse(text) as Problem;
  } catch {
    return { detail: text.slice(0, 500) || undefined };
  }
};

/**
 * One call of the operator API. Uses node:http, not fetch: fetch costs about 70 ms more CPU per process, and Node's
 * resolver does not know `*.localhost`, so the name travels in the Host header.
 * @throws CommandFailure with the problem's detail and the exit code of its status, Unreachable when nobody answers.
 */
export const call = async <T>(method: string, path: string, body?: unknown): Promise<T> => {
  const { port, token } = connectedCloud();
  const payload = body === undefined ? undefined : JSON.stringify(body);
  const { status, text } = await new Promise<{ status: number; text: string }>((resolve, reject) => {
    const outgoing = request(
      {
        host: '127.0.0.1',
        port,
        method,
        path: `/api/v1${path}`,
        headers: {
          host: `api.localhost:${port}`,
          authorization: `Bearer ${token}`,
          'x-tenantry-actor': userInfo().username,
          ...(payload === undefined
            ? {}
            : { 'content-type': 'application/json', 'content-length': Buffer.byteLength(payload) }),
        },
      },
      (incoming) => {
        incoming.setEncoding('utf8');
        let received = '';
        incoming.on('data', (chunk: string) => {
          received += chunk;
        });
        incoming.on('end', () => resolve({ status: incoming.statusCode ?? 0, text: received }));
        incoming.on('error', reject);
      },
    );
    outgoing.on('error', reject);
    outgoing.setTimeout(answerWithin, () => outgoing.destroy(new Error(`nothing for ${answerWithin / 1000} s`)));
    outgoing.end(payload);
  }).catch((error: NodeJS.ErrnoException) => {
    throw new Unreachable(
      exitCodes.notFound,
      `the local cloud on port ${port} does not answer (${error.code ?? error.message}); look: npx tenantry status`,
    );
  });
  if (status === 502 || status === 503)
    throw new Unreachable(
      exitCodes.executionFailed,
      problemOf(text).detail ?? `the operator API does not answer now (status ${status}); try again in a moment`,
    );
  if (status >= 400) {
    const problem = problemOf(text);
    throw new CommandFailure(
      exitCodeOf(status),
      problem.detail ?? problem.title ?? `${method} ${path}: status ${status}`,
    );
  }
  return JSON.parse(text) as T;
};

/** Query string of the defined members, with its `?`, or nothing. */
export const query = (members: Readonly<Record<string, string | number | undefined>>): string => {
  const defined = Object.entries(members).filter((entry): entry is [string, string | number] => entry[1] !== undefined);
  return defined.length === 0
    ? ''
    : `?${new URLSearchParams(defined.map(([name, value]): [string, string] => [name, String(value)]))}`;
};
