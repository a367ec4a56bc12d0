import type { IncomingMessage, ServerResponse } from 'node:http';
import { bodyLimit, readBody } from './body.ts';
import type { CredentialStore } from './credentials.ts';
import { jsonWire } from './json-wire.ts';
import { readModel, type ServiceModel } from './model.ts';
import { queryWire } from './query-wire.ts';
import { notImplemented, refusalOf, signatureError, validationError } from './refusal.ts';
import { restJsonWire, restXmlWire } from './rest-wire.ts';
import { type Call, type Caller, type Protocol, type SchemaService, ServiceError } from './service.ts';
import { sha256, verifySignature } from './signature.ts';
import { inputProblems } from './validation.ts';
import type { Asked, Wire, WireAnswer, WireRequest } from './wire.ts';

/** Only humans read them: no client checks the namespace of an answer. */
const xmlNamespaces: Record<string, string> = {
  sts: 'https://sts.amazonaws.com/doc/2011-06-15/',
  sqs: 'http://queue.amazonaws.com/doc/2012-11-05/',
  rds: 'http://rds.amazonaws.com/doc/2014-10-31/',
  cloudformation: 'http://cloudformation.amazonaws.com/doc/2010-05-15/',
};

const wireOf = (protocol: Protocol, signingName: string): Wire => {
  const xmlNamespace = xmlNamespaces[signingName] ?? `https://${signingName}.amazonaws.com/`;
  if (protocol === 'awsQuery') return queryWire(xmlNamespace);
  if (protocol === 'restXml') return restXmlWire(xmlNamespace);
  return protocol === 'restJson1' ? restJsonWire : jsonWire(protocol === 'awsJson1_0' ? '1.0' : '1.1');
};

/**
 * The protocol that the request itself speaks: AWS serves SQS and others in several (an old CLI sends forms where a new
 * SDK sends JSON), and answers each in its own.
 */
const protocolOf = (service: SchemaService, request: WireRequest): Protocol => {
  if (service.protocol === 'restJson1' || service.protocol === 'restXml') return service.protocol;
  const type = request.headers['content-type'] ?? '';
  if (request.headers['x-amz-target'] !== undefined) return type.includes('json-1.0') ? 'awsJson1_0' : 'awsJson1_1';
  if (type.startsWith('application/x-www-form-urlencoded') || /[?&]Action=/.test(request.url)) return 'awsQuery';
  return service.protocol;
};

export interface DispatchOptions {
  readonly credentials: CredentialStore;
  readonly accountId: string;
}

const authenticate = (
  request: WireRequest,
  protocol: Protocol,
  { credentials, accountId }: DispatchOptions,
): Caller => {
  const signed = { ...request, payloadHash: sha256(request.body) };
  const verified = verifySignature(signed, (accessKeyId) => credentials.find(accessKeyId));
  if (!verified.ok) throw signatureError(verified.fault, verified.message, protocol);
  const { accessKeyId, region } = verified.scope;
  const principalArn = credentials.find(accessKeyId)?.principalArn ?? '';
  return { accessKeyId, accountId, region, principalArn };
};

const decode = (wire: Wire, asked: Asked, request: WireRequest, protocol: Protocol): unknown => {
  if (!asked.shape) return {};
  let input: unknown;
  try {
    input = wire.input(asked.shape, asked, request);
  } catch (error) {
    throw new ServiceError('SerializationException', `The request body cannot be read: ${(error as Error).message}`);
  }
  const problems = inputProblems(asked.shape.input, input);
  const wrong = problems.find(({ kind }) => kind === 'type');
  if (wrong) throw new ServiceError('SerializationException', wrong.message);
  if (problems.length > 0)
    throw validationError(
      problems.map(({ message }) => message),
      protocol,
    );
  return input;
};

const send = (response: ServerResponse, { status, headers, body }: WireAnswer): void => {
  if (response.destroyed) return;
  // A content length is part of the contract: botocore reads until it, and 204 must not have one.
  const length = status === 204 ? {} : { 'content-length': String(Buffer.byteLength(body)) };
  response.writeHead(status, { ...headers, ...length }).end(status === 204 ? undefined : body);
};

/** Serves one schema service: verify, decode, validate, run, encode. Never rejects. */
export const createDispatcher = (service: SchemaService, options: DispatchOptions) => {
  const model: ServiceModel = readModel(service.client);
  const wires = new Map<Protocol, Wire>();
  const wireFor = (protocol: Protocol): Wire => {
    const wire = wires.get(protocol) ?? wireOf(protocol, service.signingName);
    wires.set(protocol, wire);
    return wire;
  };
  const run = async (
    wire: Wire,
    request: WireRequest,
    protocol: Protocol,
    call: Omit<Call, 'caller'>,
    asked: Asked,
  ) => {
    const caller = authenticate(request, protocol, options);
    const operation = asked.shape && service.operations[asked.name];
    if (!asked.shape || !operation) throw notImplemented(service.signingName, asked.name);
    const output = await operation(decode(wire, asked, request, protocol), { ...call, caller });
    return wire.answer(asked.shape, (output ?? {}) as Record<string, unknown>, call.requestId);
  };
  return async (message: IncomingMessage, response: ServerResponse, call: Omit<Call, 'caller'>): Promise<void> => {
    const body = await readBody(message).catch(() => undefined);
    if (message.destroyed && !message.complete) return;
    const request: WireRequest = {
      method: message.method ?? 'GET',
      url: message.url ?? '/',
      headers: message.headers,
      body: body ?? Buffer.alloc(0),
    };
    const protocol = protocolOf(service, request);
    const wire = wireFor(protocol);
    const asked = wire.asked(model, request);
    const where = `${service.signingName} ${asked.name}`;
    try {
      if (body === undefined) {
        const text = `${where}: the request body is larger than ${bodyLimit} bytes; send less.`;
        throw new ServiceError('RequestEntityTooLargeException', text, { status: 413 });
      }
      send(response, await run(wire, request, protocol, call, asked));
    } catch (error) {
      if (call.signal.aborted) return;
      send(response, wire.refuse(refusalOf(error, model, where), call.requestId));
    }
  };
};
