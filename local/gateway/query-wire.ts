import type { NormalizedSchema } from '@smithy/core/schema';
import { readText } from './text.ts';
import { errorMembers, type Wire, type WireAnswer, type WireRequest } from './wire.ts';
import { writeXmlError, writeXmlMembers } from './xml.ts';

/** Form fields by name; a presigned GET carries them in its query. */
const fields = ({ method, url, body }: WireRequest): URLSearchParams =>
  new URLSearchParams(method === 'GET' ? url.slice(url.indexOf('?') + 1) : body.toString('utf8'));

/** True when any field lies at `key` or below it: how an empty structure or list differs from an absent one. */
const present = (form: URLSearchParams, key: string): boolean =>
  [...form.keys()].some((name) => name === key || name.startsWith(`${key}.`));

const wireName = (schema: NormalizedSchema, fallback: string): string =>
  (schema.getMergedTraits().xmlName as string | undefined) ?? fallback;

const readList = (form: URLSearchParams, schema: NormalizedSchema, key: string): unknown[] => {
  const item = schema.getValueSchema();
  const base = schema.getMergedTraits().xmlFlattened ? key : `${key}.${wireName(item, 'member')}`;
  const items: unknown[] = [];
  for (let index = 1; present(form, `${base}.${index}`); index += 1) items.push(read(form, item, `${base}.${index}`));
  return items;
};

const readMap = (form: URLSearchParams, schema: NormalizedSchema, key: string): Record<string, unknown> => {
  const base = schema.getMergedTraits().xmlFlattened ? key : `${key}.entry`;
  const keyName = wireName(schema.getKeySchema(), 'key');
  const valueName = wireName(schema.getValueSchema(), 'value');
  const entries: [string, unknown][] = [];
  for (let index = 1; ; index += 1) {
    const name = form.get(`${base}.${index}.${keyName}`);
    if (name === null) return Object.fromEntries(entries);
    entries.push([name, read(form, schema.getValueSchema(), `${base}.${index}.${valueName}`)]);
  }
};

const readStruct = (form: URLSearchParams, schema: NormalizedSchema, prefix: string): Record<string, unknown> => {
  const members: [string, unknown][] = [];
  for (const [name, member] of schema.structIterator()) {
    const key = `${prefix}${wireName(member, name)}`;
    if (present(form, key)) members.push([name, read(form, member, key)]);
  }
  return Object.fromEntries(members);
};

const read = (form: URLSearchParams, schema: NormalizedSchema, key: string): unknown => {
  if (schema.isStructSchema()) return readStruct(form, schema, `${key}.`);
  if (schema.isListSchema()) return readList(form, schema, key);
  if (schema.isMapSchema()) return readMap(form, schema, key);
  return readText(schema, form.get(key) ?? '');
};

/** awsQuery: `Action=` and flattened fields in a form, XML in the answer. */
export const queryWire = (xmlNamespace: string): Wire => {
  const answer = (status: number, body: string, requestId: string): WireAnswer => ({
    status,
    headers: { 'content-type': 'text/xml', 'x-amzn-requestid': requestId },
    body,
  });
  return {
    asked(model, request) {
      const name = fields(request).get('Action') ?? '';
      return { name: name || 'request without Action', shape: model.operations.get(name) };
    },
    input: (shape, _asked, request) => (shape.input.isUnitSchema() ? {} : readStruct(fields(request), shape.input, '')),
    answer(shape, output, requestId) {
      const members = shape.output.isUnitSchema() ? '' : writeXmlMembers(shape.output, output);
      const result = shape.output.isUnitSchema() ? '' : `<${shape.name}Result>${members}</${shape.name}Result>`;
      const metadata = `<ResponseMetadata><RequestId>${requestId}</RequestId></ResponseMetadata>`;
      const body = `<${shape.name}Response xmlns="${xmlNamespace}">${result}${metadata}</${shape.name}Response>`;
      return answer(200, body, requestId);
    },
    refuse(refusal, requestId) {
      const { queryCode: code, message, status, schema } = refusal;
      const { message: _low, Message: _high, ...members } = errorMembers(refusal);
      const written = schema ? writeXmlMembers(schema, members) : '';
      const body = writeXmlError({ code, message, status, requestId, members: written, xmlNamespace });
      return answer(status, body, requestId);
    },
  };
};
