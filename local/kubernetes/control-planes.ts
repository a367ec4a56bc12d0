import { randomBytes, timingSafeEqual } from 'node:crypto';
import { once } from 'node:events';
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { createServer } from 'node:https';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { mastersGroup } from './access/authorization.ts';
import { seedCluster } from './access/seed.ts';
import { openCertificate } from './certificate.ts';
import { answer, type Identity } from './requests/exchange.ts';
import { handle } from './requests/handler.ts';
import { StatusError, statusBody } from './status.ts';
import { openObjectStore } from './store.ts';

export type { Identity } from './requests/exchange.ts';

export interface ControlPlanesOptions {
  /** Holds the objects, the certificate and the port of the last start. */
  readonly directory: string;
  /** Who a bearer token of a cluster is; undefined for nobody: 401. */
  readonly authenticate: (cluster: string, bearerToken: string) => Promise<Identity | undefined>;
  readonly log: (line: string) => void;
  /** That of the last start where it is free, else a free one. */
  readonly port?: number;
}

export interface ControlPlanes {
  readonly port: number;
  /** Base64 of PEM, as EKS's `certificateAuthority.data`. */
  readonly certificateAuthority: string;
  /** Makes a cluster with its first namespaces. Repeat: nothing. */
  create(name: string): void;
  /** Ends the cluster's watches and removes its objects. Repeat: nothing. */
  remove(name: string): void;
  names(): readonly string[];
  /** `https://127.0.0.1:PORT/clusters/<name>` */
  endpoint(name: string): string;
  /** Of this process, for controllers. Never written to disk. */
  adminToken(name: string): string;
  /** Ends open connections. What was acknowledged is on disk. */
  close(): Promise<void>;
}

const path = /^\/clusters\/([^/?]+)(\/[^?]*)?(?:\?(.*))?$/;
const controllerIdentity: Identity = {
  username: 'system:kube-controller-manager',
  groups: [mastersGroup, 'system:authenticated'],
};

const unauthorized = (): StatusError => new StatusError(401, 'Unauthorized', 'Unauthorized');

const sameToken = (given: string, wanted: string): boolean => {
  const [a, b] = [Buffer.from(given), Buffer.from(wanted)];
  return a.length === b.length && timingSafeEqual(a, b);
};

const bearerToken = ({ headers }: IncomingMessage): string | undefined =>
  /^Bearer\s+(\S+)$/i.exec(headers.authorization ?? '')?.[1];

const lastPort = (file: string): number => (existsSync(file) ? Number(readFileSync(file, 'utf8')) || 0 : 0);

/** The wanted port, else a free one. */
const listen = async (server: ReturnType<typeof createServer>, port: number): Promise<number> => {
  try {
    server.listen(port, '127.0.0.1');
    await once(server, 'listening');
  } catch (error) {
    if (port === 0 || (error as NodeJS.ErrnoException).code !== 'EADDRINUSE') throw error;
    return listen(server, 0);
  }
  return (server.address() as AddressInfo).port;
};

/**
 * The Kubernetes APIs of all clusters behind one HTTPS listener on loopback, a path prefix each. Speaks what kubectl, Helm
 * and @kubernetes/client-node need of an API server; runs nothing: controllers and a kubelet are clients of it. A write is
 * answered when it is on disk.
 */
export const startControlPlanes = async (options: ControlPlanesOptions): Promise<ControlPlanes> => {
  const { directory, authenticate, log } = options;
  const { key, certificate } = await openCertificate(directory);
  const store = openObjectStore(directory);
  const adminTokens = new Map<string, string>();

  const adminToken = (name: string): string => {
    const token = adminTokens.get(name) ?? randomBytes(32).toString('base64url');
    adminTokens.set(name, token);
    return token;
  };

  const identify = async (cluster: string, request: IncomingMessage): Promise<Identity | undefined> => {
    const token = bearerToken(request);
    if (token === undefined) return undefined;
    if (sameToken(token, adminToken(cluster))) return controllerIdentity;
    const identity = await authenticate(cluster, token);
    return identity && { ...identity, groups: [...new Set([...identity.groups, 'system:authenticated'])] };
  };

  const serve = async (request: IncomingMessage, response: ServerResponse): Promise<void> => {
    const [, name = '', rest = '/', query = ''] = path.exec(request.url ?? '') ?? [];
    const objects = store.get(name);
    const identity = objects && (await identify(name, request));
    if (!objects || !identity) {
      answer(response, 401, statusBody(unauthorized()));
      return;
    }
    const exchange = {
      objects,
      identity,
      request,
      response,
      query: new URLSearchParams(query),
      prefix: `/clusters/${name}`,
    };
    await handle(exchange, rest, log);
  };

  const server = createServer({ key, cert: certificate }, (request, response) => {
    serve(request, response).catch((error: Error) => {
      log(`${request.method} ${request.url}: ${error.stack}`);
      if (response.headersSent) response.destroy();
      else
        answer(
          response,
          500,
          statusBody(new StatusError(500, 'InternalError', `Internal error occurred: ${error.message}`)),
        );
    });
  });
  // Longer than clients keep idle connections, so that none sends a request into a closing one.
  server.keepAliveTimeout = 120_000;
  server.requestTimeout = 0;

  const portFile = join(directory, 'port');
  const port = await listen(server, options.port ?? lastPort(portFile));
  writeFileSync(portFile, String(port));

  return {
    port,
    certificateAuthority: Buffer.from(certificate).toString('base64'),
    create: (name) => {
      const objects = store.create(name);
      seedCluster(objects).catch((error: Error) => log(`cluster ${name} could not be filled: ${error.message}`));
    },
    remove: (name) => {
      store.remove(name);
      adminTokens.delete(name);
    },
    names: () => store.names(),
    endpoint: (name) => `https://127.0.0.1:${port}/clusters/${name}`,
    adminToken,
    close: async () => {
      store.close();
      const closed = once(server, 'close');
      server.close();
      server.closeAllConnections();
      await closed;
    },
  };
};
