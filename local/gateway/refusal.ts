import type { ServiceModel } from './model.ts';
import { type Protocol, ServiceError } from './service.ts';
import type { SignatureFault } from './signature.ts';
import type { Refusal } from './wire.ts';

/** AWS's names for one fault: in JSON protocols, and in query and XML ones. */
const signatureNames: Record<SignatureFault, readonly [json: string, query: string]> = {
  MissingSignature: ['MissingAuthenticationTokenException', 'MissingAuthenticationToken'],
  MalformedSignature: ['IncompleteSignatureException', 'IncompleteSignature'],
  UnknownAccessKey: ['UnrecognizedClientException', 'InvalidClientTokenId'],
  WrongSessionToken: ['UnrecognizedClientException', 'InvalidClientTokenId'],
  ExpiredSessionToken: ['ExpiredTokenException', 'ExpiredToken'],
  ClockSkew: ['InvalidSignatureException', 'SignatureDoesNotMatch'],
  ExpiredPresign: ['InvalidSignatureException', 'SignatureDoesNotMatch'],
  WrongSignature: ['InvalidSignatureException', 'SignatureDoesNotMatch'],
};

const speaksXml = (protocol: Protocol): boolean => protocol === 'awsQuery' || protocol === 'restXml';

export const signatureError = (fault: SignatureFault, message: string, protocol: Protocol): ServiceError => {
  const [json, query] = signatureNames[fault];
  const rpc = protocol === 'awsJson1_0' || protocol === 'awsJson1_1';
  return new ServiceError(speaksXml(protocol) ? query : json, message, { status: rpc ? 400 : 403 });
};

export const notImplemented = (service: string, operation: string): ServiceError =>
  new ServiceError('NotImplemented', `${service} does not implement "${operation}" here; AWS itself does.`, {
    status: 501,
  });

export const validationError = (messages: readonly string[], protocol: Protocol): ServiceError => {
  const plural = messages.length === 1 ? 'error' : 'errors';
  const message = `${messages.length} validation ${plural} detected: ${messages.join('; ')}`;
  return new ServiceError(speaksXml(protocol) ? 'ValidationError' : 'ValidationException', message, { status: 400 });
};

/**
 * What the client is told. An error that is no ServiceError is a fault of ours: 500 InternalFailure without its text,
 * which goes to stderr with its stack.
 */
export const refusalOf = (error: unknown, model: ServiceModel, where: string): Refusal => {
  const queryCompatible = [...model.errors.values()].some(({ queryCode }) => queryCode !== undefined);
  if (!(error instanceof ServiceError)) {
    process.stderr.write(`${where} failed: ${error instanceof Error ? error.stack : String(error)}\n`);
    const message = `${where} failed here; its stack is in the log of the local AWS.`;
    const name = 'InternalFailure';
    return { name, queryCode: name, status: 500, message, members: {}, schema: undefined, queryCompatible };
  }
  const shape = model.errors.get(error.name);
  return {
    name: shape?.name ?? error.name,
    queryCode: shape?.queryCode ?? error.name,
    status: error.status ?? shape?.status ?? 400,
    message: error.message,
    members: error.members,
    schema: shape?.schema,
    queryCompatible,
  };
};
