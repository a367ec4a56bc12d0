import { join, resolve } from 'node:path';
import { bundleHandlers } from '../../../local/lambda/bundle.ts';
import type { FunctionDefinition } from '../../../local/lambda/definition.ts';
import { createLambdaService, type LambdaService, type LambdaServiceOptions } from '../../../local/services/lambda.ts';
import { createStsService } from '../../../local/services/sts.ts';
import { accountId, region } from '../gateway/account.ts';
import { type Endpoint, openEndpoint, temporary } from '../gateway/endpoint.ts';

export const root = resolve(import.meta.dirname, '../../..');

/** The probe handler, bundled as deployed handlers are. */
export const bundleProbe = async (outDirectory: string): Promise<string> => {
  const files = await bundleHandlers({ root, entries: ['test/local/lambda/probe.ts'], outDirectory });
  return files.get('test/local/lambda/probe.ts')!;
};

export interface Functions extends Endpoint {
  readonly lambda: LambdaService;
  readonly lines: { readonly name: string; readonly line: string }[];
  readonly scratch: string;
  define(name: string, definition?: Partial<FunctionDefinition>): string;
  /** Runs a function and answers its payload, parsed. */
  call(name: string, event: object): Promise<{ answer: unknown; failed: boolean }>;
}

let probe: Promise<string> | undefined;

/** Gateway, STS and Lambda with the probe handler behind every function. */
export const openFunctions = async (options: Partial<LambdaServiceOptions> = {}): Promise<Functions> => {
  const directory = await temporary('lambda');
  const lines: { name: string; line: string }[] = [];
  const scratch = join(directory, 'scratch');
  let lambda: LambdaService | undefined;
  probe ??= bundleProbe(join(root, 'node_modules', '.cache', 'probe'));
  const file = await probe;
  const endpoint = await openEndpoint(({ credentials, endpoint: address }) => {
    lambda = createLambdaService({
      region,
      accountId,
      credentials,
      endpoint: address,
      compileCacheDirectory: join(directory, 'compiled'),
      scratchDirectory: scratch,
      log: (name, line) => lines.push({ name, line }),
      ...options,
    });
    return [lambda, createStsService({ accountId, credentials })];
  });
  const service = lambda!;
  return {
    ...endpoint,
    directory,
    lambda: service,
    lines,
    scratch,
    define: (name, definition = {}) =>
      service.define({ name, file, handler: 'handler', timeout: 10, memory: 128, environment: {}, ...definition }),
    call: async (name, event) => {
      const { payload, functionError } = await service.invoker.invoke(name, JSON.stringify(event));
      return { answer: JSON.parse(payload), failed: functionError !== undefined };
    },
  };
};
