import type { ServerResponse } from 'node:http';
import { ServiceError } from '../gateway/service.ts';
import { s3Error } from './errors.ts';
import { type Payload, receiveText } from './payload.ts';
import type { S3Request } from './request.ts';
import type { Store } from './store.ts';
import { readXml, writeErrorXml, writeXml, type XmlElement, type XmlValue } from './xml.ts';

/** One verified request, and the way to answer it. */
export interface Exchange {
  readonly store: Store;
  readonly request: S3Request;
  readonly payload: Payload;
  readonly response: ServerResponse;
}

export type Handler = (exchange: Exchange) => Promise<void> | void;

type Headers = Readonly<Record<string, string | number>>;

export const answerEmpty = (response: ServerResponse, status = 200, headers: Headers = {}): void => {
  const length = status === 204 || status === 304 ? {} : { 'content-length': 0 };
  response.writeHead(status, { ...headers, ...length }).end();
};

export const answerText = (response: ServerResponse, body: string, contentType: string): void => {
  response.writeHead(200, { 'content-type': contentType, 'content-length': Buffer.byteLength(body) }).end(body);
};

export const answerXml = (
  response: ServerResponse,
  root: string,
  value: string | { readonly [name: string]: XmlValue },
  headers: Headers = {},
): void => {
  const body = writeXml(root, value);
  response
    .writeHead(200, { ...headers, 'content-type': 'application/xml', 'content-length': Buffer.byteLength(body) })
    .end(body);
};

/** Receives a document and reads it. Throws MalformedXML unless its root is `root`. */
export const receiveXml = async ({ request, payload }: Exchange, root: string): Promise<XmlElement> => {
  const document = readXml(await receiveText(request, payload));
  if (document.name !== root)
    throw s3Error('MalformedXML', `The root element is ${document.name}; ${root} was expected.`);
  return document;
};

const isMember = (entry: [string, unknown]): entry is [string, string | number] =>
  typeof entry[1] === 'string' || typeof entry[1] === 'number';

/**
 * Answers an error as S3 does: no body for HEAD and 304, else a document. What is still coming of the request is read and
 * dropped, because a client in the middle of sending reads no answer. An error that is none of S3's becomes InternalError.
 */
export const answerError = (
  request: Pick<S3Request, 'message' | 'requestId'>,
  response: ServerResponse,
  error: unknown,
): void => {
  if (response.headersSent) {
    response.destroy();
    return;
  }
  const known = error instanceof ServiceError ? error : s3Error('InternalError');
  // A client that hung up is no fault; anything else unknown is ours, and its cause must be seen somewhere.
  if (known !== error && (error as NodeJS.ErrnoException).code !== 'ECONNRESET') console.error(error);
  const status = known.status ?? 500;
  request.message.resume();
  if (request.message.method === 'HEAD') {
    response.writeHead(status, { 'content-type': 'application/xml' }).end();
    return;
  }
  const members = Object.fromEntries(Object.entries(known.members).filter(isMember));
  const body = writeErrorXml({
    Code: known.name,
    Message: known.message,
    ...members,
    Resource: request.message.url?.split('?')[0],
    RequestId: request.requestId,
  });
  response
    .writeHead(status, { 'content-type': 'application/xml', 'content-length': Buffer.byteLength(body) })
    .end(body);
};
