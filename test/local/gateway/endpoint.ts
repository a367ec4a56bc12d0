import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { onTestFinished } from 'vitest';
import { type CredentialStore, openCredentialStore } from '../../../local/gateway/credentials.ts';
import { type Gateway, type GatewayOptions, startGateway } from '../../../local/gateway/gateway.ts';
import type { Service } from '../../../local/gateway/service.ts';
import { accountId, region, rootKey } from './account.ts';

/** A directory of its own for one test. */
export const temporary = async (name: string): Promise<string> => {
  const directory = await mkdtemp(join(tmpdir(), `tenantry-${name}-`));
  onTestFinished(() => rm(directory, { recursive: true, force: true }));
  return directory;
};

export interface Endpoint {
  readonly directory: string;
  readonly credentials: CredentialStore;
  readonly gateway: Gateway;
  /** For SDK clients: endpoint, region, root key, no retries. */
  readonly config: {
    readonly endpoint: string;
    readonly region: string;
    readonly credentials: typeof rootKey;
    readonly maxAttempts: number;
  };
}

/** A gateway with real services, closed when the test ends. */
export const openEndpoint = async (
  services: (context: { directory: string; credentials: CredentialStore; endpoint: () => string }) => Service[],
  options: Partial<GatewayOptions> = {},
): Promise<Endpoint> => {
  const directory = await temporary('gateway');
  const credentials = openCredentialStore({ file: join(directory, 'credentials.json'), accountId, ...rootKey });
  let address = '';
  const running = services({ directory, credentials, endpoint: () => address });
  const gateway = await startGateway({ services: running, credentials, region, accountId, ...options });
  address = gateway.endpoint;
  onTestFinished(() => gateway.close());
  return {
    directory,
    credentials,
    gateway,
    config: { endpoint: address, region, credentials: rootKey, maxAttempts: 1 },
  };
};
