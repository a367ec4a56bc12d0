import type { IncomingMessage } from 'node:http';
import { isObject, type JsonObject } from '../object.ts';
import { badRequest, StatusError } from '../status.ts';
import { decodeProtobuf, isProtobuf } from './protobuf.ts';

/** Limit of kube-apiserver for a request. */
const mostBytes = 3 * 1024 * 1024;

const readBytes = async (request: IncomingMessage): Promise<Buffer> => {
  const chunks: Buffer[] = [];
  let size = 0;
  for await (const chunk of request) {
    size += (chunk as Buffer).length;
    if (size > mostBytes) {
      throw new StatusError(413, 'RequestEntityTooLarge', `Request entity too large: limit is ${mostBytes}`);
    }
    chunks.push(chunk as Buffer);
  }
  return Buffer.concat(chunks);
};

/** kubectl and most clients send JSON, also where the content type says YAML. */
const parse = async (text: string, contentType: string): Promise<unknown> => {
  try {
    return JSON.parse(text);
  } catch (error) {
    if (!contentType.includes('yaml')) throw badRequest(`the body is no JSON: ${(error as Error).message}`);
  }
  const { loadYaml } = await import('@kubernetes/client-node');
  try {
    return JSON.parse(JSON.stringify(loadYaml(text)));
  } catch (error) {
    throw badRequest(`the body is no YAML: ${(error as Error).message}`);
  }
};

/** The parsed body: JSON, YAML, or one of the protobuf messages that Helm sends. Undefined when there is none. */
export const readBody = async (request: IncomingMessage): Promise<unknown> => {
  const bytes = await readBytes(request);
  if (bytes.length === 0) return undefined;
  if (isProtobuf(bytes)) return decodeProtobuf(bytes);
  return parse(bytes.toString(), request.headers['content-type'] ?? '');
};

export const objectBody = (body: unknown): JsonObject => {
  if (isObject(body)) return body;
  throw badRequest('the body must be an object');
};
