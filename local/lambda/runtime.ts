import { randomUUID } from 'node:crypto';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { rm } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { transformSync } from 'esbuild';
import type { CredentialStore } from '../gateway/credentials.ts';
import { ServiceError } from '../gateway/service.ts';
import type { Invocation } from '../ports.ts';
import { type FunctionDefinition, payloadLimit } from './definition.ts';
import { functionEnvironment } from './environment.ts';
import { credentialLifetime, defaultLimits, type PoolLimits } from './limits.ts';
import { createPool, type Pool, type Settled } from './pool.ts';
import { startReaper } from './reaper.ts';
import { openSandbox, type Sandbox } from './sandbox.ts';

export interface RuntimeOptions {
  readonly region: string;
  readonly accountId: string;
  readonly credentials: CredentialStore;
  /** Where the handlers' SDK clients go. Asked at every cold start, because the gateway starts after its services. */
  readonly endpoint: () => string;
  /** Shared by all processes and kept between starts: V8's compiled code. */
  readonly compileCacheDirectory: string;
  /** Holds one private directory per process, its TMPDIR, removed with it. */
  readonly scratchDirectory: string;
  readonly log: (functionName: string, line: string) => void;
  readonly limits?: Partial<PoolLimits>;
}

export interface Run {
  readonly invocation: Invocation;
  readonly requestId: string;
  readonly milliseconds: number;
}

export interface Runtime {
  readonly pool: Pool;
  run(
    name: string,
    payload: string,
    options: { functionArn: string; signal?: AbortSignal; onLine?: (line: string) => void },
  ): Promise<Run>;
  close(): Promise<void>;
}

/** Children load plain JavaScript: stripping types in each would cost every cold start what it costs here once. */
const writeBootstrap = (directory: string): string => {
  const source = readFileSync(join(import.meta.dirname, 'bootstrap.ts'), 'utf8');
  const file = join(directory, 'bootstrap.mjs');
  writeFileSync(file, transformSync(source, { loader: 'ts', target: 'node24' }).code);
  return file;
};

const invocationOf = (settled: Settled): Invocation =>
  settled.kind === 'result'
    ? { payload: settled.payload }
    : { payload: JSON.stringify(settled.error), functionError: 'Unhandled' };

const checkSize = (payload: string): void => {
  const size = Buffer.byteLength(payload);
  if (size <= payloadLimit) return;
  throw new ServiceError(
    'RequestTooLargeException',
    `${size} byte payload is too large for the RequestResponse invocation type (limit ${payloadLimit} bytes)`,
    { status: 413, members: { Type: 'User' } },
  );
};

/** The processes behind the Lambda service: pool, credentials, directories, and the shell that cleans up after a crash. */
export const createRuntime = (options: RuntimeOptions): Runtime => {
  const { region, accountId, credentials, endpoint, compileCacheDirectory, scratchDirectory, log } = options;
  const processDirectory = join(scratchDirectory, 'processes');
  // What a killed predecessor left behind.
  rmSync(processDirectory, { recursive: true, force: true });
  mkdirSync(processDirectory, { recursive: true });
  mkdirSync(compileCacheDirectory, { recursive: true });
  const limits = { ...defaultLimits(), ...options.limits };
  const bootstrap = writeBootstrap(scratchDirectory);
  const reaper = startReaper();

  const credentialOf = ({ name, role }: FunctionDefinition) => {
    const roleName = role?.split('/').at(-1) ?? name;
    return credentials.mint(`arn:aws:sts::${accountId}:assumed-role/${roleName}/${name}`, credentialLifetime);
  };
  const open = (definition: FunctionDefinition): Sandbox => {
    const scratch = mkdtempSync(join(processDirectory, `${definition.name}-`));
    const taskRoot = dirname(definition.file);
    const environment = functionEnvironment(definition, {
      region,
      endpoint: endpoint(),
      credential: credentialOf(definition),
      scratch,
      compileCache: compileCacheDirectory,
      taskRoot,
    });
    const sandbox = openSandbox(definition, {
      bootstrap,
      environment,
      workingDirectory: taskRoot,
      reaper,
      loadLimit: limits.load,
      log,
    });
    const ended = sandbox.ended.then(() => rm(scratch, { recursive: true, force: true }));
    return { ...sandbox, ended };
  };

  const pool = createPool(limits, open);
  return {
    pool,
    async run(name, payload, { functionArn, signal, onLine }) {
      checkSize(payload);
      const id = randomUUID();
      const begun = performance.now();
      const settled = await pool.submit(name, { id, event: payload, functionArn, onLine }, signal);
      return { invocation: invocationOf(settled), requestId: id, milliseconds: performance.now() - begun };
    },
    async close() {
      await pool.close();
      reaper.close();
    },
  };
};
