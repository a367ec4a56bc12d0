import { randomUUID } from 'node:crypto';
import { once } from 'node:events';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { CredentialStore } from './credentials.ts';
import { createDispatcher } from './dispatch.ts';
import { queryWire } from './query-wire.ts';
import { notImplemented, refusalOf, signatureError } from './refusal.ts';
import { restJsonWire } from './rest-wire.ts';
import type { Call, Service, ServiceError } from './service.ts';
import { credentialScope } from './signature.ts';

export interface GatewayOptions {
  readonly services: readonly Service[];
  readonly credentials: CredentialStore;
  readonly region: string;
  readonly accountId: string;
  /** Only loopback is meant: the gateway speaks plain HTTP. */
  readonly host?: '127.0.0.1';
  /** 0, the default, takes a free port. */
  readonly port?: number;
  /** Gets every request that carries no AWS signature. Without it they are refused with 403. */
  readonly fallback?: (request: IncomingMessage, response: ServerResponse) => void;
}

export interface Gateway {
  readonly port: number;
  /** `http://127.0.0.1:PORT`: with an IP address, and only then, S3 clients use path style by themselves. */
  readonly endpoint: string;
  /** Ends open connections, then closes the services. Safe to call twice. */
  close(): Promise<void>;
}

type Handle = (request: IncomingMessage, response: ServerResponse, call: Omit<Call, 'caller'>) => Promise<void>;

const noErrors = { operations: new Map(), errors: new Map() };

/** An answer that no service gives. Its JSON carries the name where JSON, REST and XML clients look for it. */
const refuse = (response: ServerResponse, error: ServiceError, requestId: string): void => {
  const { status, headers, body } = restJsonWire.refuse(refusalOf(error, noErrors, 'gateway'), requestId);
  response.writeHead(status, headers).end(body);
};

/** A service that is not here, in the format that the client reads: of a query service it is XML, and JSON would not parse. */
const refuseService = (
  request: IncomingMessage,
  response: ServerResponse,
  service: string,
  requestId: string,
): void => {
  const error = notImplemented(service, 'the service as a whole');
  request.resume();
  if (!request.headers['content-type']?.startsWith('application/x-www-form-urlencoded')) {
    refuse(response, error, requestId);
    return;
  }
  const wire = queryWire(`https://${service}.amazonaws.com/`);
  const { status, headers, body } = wire.refuse(refusalOf(error, noErrors, 'gateway'), requestId);
  response.writeHead(status, headers).end(body);
};

/** A crash in a stream service after its headers went out can only be told by cutting the connection. */
const crashed = (response: ServerResponse, error: unknown, where: string, requestId: string): void => {
  if (response.headersSent) {
    process.stderr.write(`${where} failed: ${error instanceof Error ? error.stack : String(error)}\n`);
    response.destroy();
    return;
  }
  const { status, headers, body } = restJsonWire.refuse(refusalOf(error, noErrors, where), requestId);
  response.writeHead(status, headers).end(body);
};

/**
 * One loopback port for every service, routed by the service name in the credential scope of the signature. Schema
 * services are verified, decoded and encoded here; stream services get the raw request.
 */
export const startGateway = async (options: GatewayOptions): Promise<Gateway> => {
  const { services, fallback, host = '127.0.0.1' } = options;
  const handlers = new Map<string, Handle>(
    services.map((service) => [
      service.signingName,
      service.kind === 'schema' ? createDispatcher(service, options) : service.handle.bind(service),
    ]),
  );
  let endpoint = '';

  const serve = async (request: IncomingMessage, response: ServerResponse): Promise<void> => {
    const scope = credentialScope(request.url ?? '/', request.headers);
    const requestId = randomUUID();
    const signed = scope !== undefined || request.headers.authorization?.startsWith('AWS4-') === true;
    if (!signed && fallback) return fallback(request, response);
    if (!scope) {
      const fault = signed ? 'MalformedSignature' : 'MissingSignature';
      const message =
        'This is the endpoint of the local AWS: sign the request (signature version 4) for one of its services.';
      return refuse(response, signatureError(fault, message, 'restJson1'), requestId);
    }
    const handle = handlers.get(scope.service);
    if (!handle) return refuseService(request, response, scope.service, requestId);
    const closed = new AbortController();
    response.once('close', () => {
      if (!response.writableFinished) closed.abort();
    });
    await handle(request, response, { requestId, endpoint, signal: closed.signal }).catch((error: unknown) =>
      crashed(response, error, scope.service, requestId),
    );
  };

  const server = createServer((request, response) => {
    // The client may vanish in the middle of a request; its socket error belongs to nobody else.
    request.on('error', () => {});
    void serve(request, response);
  });
  // Uploads may take as long as they like; an idle connection outlives the clients' own idle limit so that they never
  // write into a socket that is being closed.
  server.requestTimeout = 0;
  server.keepAliveTimeout = 120_000;
  server.listen(options.port ?? 0, host);
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  endpoint = `http://${host}:${port}`;

  let closing: Promise<void> | undefined;
  const close = async (): Promise<void> => {
    const closed = once(server, 'close');
    server.close();
    server.closeAllConnections();
    await closed;
    for (const service of services) await service.close?.();
  };
  return {
    port,
    endpoint,
    close: () => {
      closing ??= close();
      return closing;
    },
  };
};
