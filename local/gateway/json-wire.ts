import { JsonCodec } from '@aws-sdk/core/protocols';
import type { NormalizedSchema } from '@smithy/core/schema';
import { errorMembers, type Refusal, type Wire, type WireAnswer } from './wire.ts';

/** Format 7 is epoch seconds, the default of every JSON protocol; a member's own trait overrides it. */
const epochSeconds = { useTrait: true, default: 7 } as const;

/** RPC bodies use member names, REST bodies the `jsonName` trait. */
const codecs = {
  rpc: new JsonCodec({ jsonName: false, timestampFormat: epochSeconds }),
  rest: new JsonCodec({ jsonName: true, timestampFormat: epochSeconds }),
};

export type JsonDialect = keyof typeof codecs;

/** Decodes a JSON body by its schema; an empty one is an empty structure. Throws on text that is no JSON object. */
export const readJson = (dialect: JsonDialect, schema: NormalizedSchema, body: Buffer): unknown => {
  const value: unknown = body.length === 0 ? {} : JSON.parse(body.toString('utf8'));
  if (Array.isArray(value)) throw new TypeError('it is a list and must be an object');
  const deserializer = codecs[dialect].createDeserializer();
  return deserializer.readObject(schema, value as Parameters<typeof deserializer.readObject>[1]);
};

export const writeJson = (dialect: JsonDialect, schema: NormalizedSchema, value: unknown): string => {
  if (!schema.isStructSchema() && !schema.isDocumentSchema()) return JSON.stringify(value ?? {});
  const serializer = codecs[dialect].createSerializer();
  serializer.write(schema, value);
  return serializer.flush();
};

/** An error body: the members that its schema knows, `message` for clients that do not, and `__type`. */
export const writeJsonError = (dialect: JsonDialect, refusal: Refusal): string => {
  const members = errorMembers(refusal);
  const known = refusal.schema ? (JSON.parse(writeJson(dialect, refusal.schema, members)) as object) : members;
  return JSON.stringify({ __type: refusal.name, message: refusal.message, ...known });
};

/** awsJson1_0 and awsJson1_1: the operation in `x-amz-target`, input and output in the body. */
export const jsonWire = (version: '1.0' | '1.1'): Wire => {
  const answer = (status: number, body: string, requestId: string, extra: Record<string, string> = {}): WireAnswer => ({
    status,
    headers: { 'content-type': `application/x-amz-json-${version}`, 'x-amzn-requestid': requestId, ...extra },
    body,
  });
  return {
    asked(model, request) {
      const name = String(request.headers['x-amz-target'] ?? '').replace(/^.*\./, '');
      return { name: name || `request without x-amz-target`, shape: model.operations.get(name) };
    },
    input: (shape, _asked, request) => readJson('rpc', shape.input, request.body),
    answer: (shape, output, requestId) => answer(200, writeJson('rpc', shape.output, output), requestId),
    refuse(refusal, requestId) {
      const fault = refusal.status < 500 ? 'Sender' : 'Receiver';
      const compatible: Record<string, string> = refusal.queryCompatible
        ? { 'x-amzn-query-error': `${refusal.queryCode};${fault}` }
        : {};
      const headers = { 'x-amzn-errortype': refusal.name, ...compatible };
      return answer(refusal.status, writeJsonError('rpc', refusal), requestId, headers);
    },
  };
};
