import { XmlShapeDeserializer } from '@aws-sdk/core/protocols';
import type { NormalizedSchema } from '@smithy/core/schema';
import { readJson, writeJson, writeJsonError } from './json-wire.ts';
import type { OperationShape, ServiceModel } from './model.ts';
import { readText, writeText } from './text.ts';
import { type Asked, errorMembers, type Wire, type WireAnswer, type WireRequest } from './wire.ts';
import { isoDates, writeXml, writeXmlError, writeXmlMembers } from './xml.ts';

interface Route {
  readonly shape: OperationShape;
  readonly method: string;
  readonly path: RegExp;
  readonly labels: readonly string[];
  /** Query parameters that the template fixes, such as `list-type=2`. */
  readonly fixed: readonly (readonly [string, string])[];
}

const routeOf = (shape: OperationShape): Route[] => {
  if (!shape.http) return [];
  const [template = '', query = ''] = shape.http.uri.split('?');
  const labels: string[] = [];
  const pattern = template
    .split('/')
    .map((segment) => {
      const label = /^\{(\w+)(\+?)\}$/.exec(segment);
      if (!label) return segment.replace(/[.*+?^${}()|[\]\\]/g, '\\$&');
      labels.push(String(label[1]));
      return label[2] ? '(.+)' : '([^/]+)';
    })
    .join('/');
  const fixed = [...new URLSearchParams(query)];
  return [{ shape, method: shape.http.method, path: new RegExp(`^${pattern}/?$`), labels, fixed }];
};

const routeTables = new WeakMap<ServiceModel, readonly Route[]>();

/** Most specific first: more fixed query parameters, then fewer labels, then the longer template. */
const routesOf = (model: ServiceModel): readonly Route[] => {
  const known = routeTables.get(model);
  if (known) return known;
  const weight = (route: Route): number =>
    route.fixed.length * 1e6 - route.labels.length * 1e3 + (route.shape.http?.uri.length ?? 0);
  const routes = [...model.operations.values()].flatMap(routeOf).sort((a, b) => weight(b) - weight(a));
  routeTables.set(model, routes);
  return routes;
};

const parametersOf = (url: string): URLSearchParams =>
  new URLSearchParams(url.includes('?') ? url.slice(url.indexOf('?') + 1) : '');

const asked = (model: ServiceModel, { method, url }: WireRequest): Asked => {
  const path = url.split('?', 1)[0] ?? '/';
  const parameters = parametersOf(url);
  for (const route of routesOf(model)) {
    const match = route.method === method ? route.path.exec(path) : null;
    if (!match || !route.fixed.every(([name, value]) => parameters.get(name) === value)) continue;
    const labels = Object.fromEntries(route.labels.map((label, index) => [label, match[index + 1] ?? '']));
    return { name: route.shape.name, shape: route.shape, labels };
  }
  return { name: `${method} ${path}`, shape: undefined };
};

interface Traits {
  readonly httpLabel?: unknown;
  readonly httpQuery?: string;
  readonly httpQueryParams?: unknown;
  readonly httpHeader?: string;
  readonly httpPrefixHeaders?: string;
  readonly httpPayload?: unknown;
  readonly httpResponseCode?: unknown;
}

const readQuery = (schema: NormalizedSchema, values: readonly string[]): unknown =>
  schema.isListSchema()
    ? values.map((value) => readText(schema.getValueSchema(), value))
    : values[0] === undefined
      ? undefined
      : readText(schema, values[0]);

const readHeader = (schema: NormalizedSchema, value: string): unknown =>
  schema.isListSchema()
    ? value.split(',').map((item) => readText(schema.getValueSchema(), item.trim()))
    : readText(schema, value);

/** How the body that is not a binding is coded: JSON or XML. */
interface BodyCodec {
  readonly contentType: string;
  read(schema: NormalizedSchema, body: Buffer): unknown;
  write(schema: NormalizedSchema, value: unknown): string;
}

const readBindings = (codec: BodyCodec, shape: OperationShape, { labels }: Asked, request: WireRequest): unknown => {
  if (shape.input.isUnitSchema()) return {};
  const parameters = parametersOf(request.url);
  const bound: Record<string, unknown> = {};
  let inBody = true;
  for (const [name, member] of shape.input.structIterator()) {
    const traits = member.getMergedTraits() as Traits;
    const header = traits.httpHeader && request.headers[traits.httpHeader.toLowerCase()];
    if (traits.httpLabel) bound[name] = readText(member, decodeURIComponent(labels?.[name] ?? ''));
    else if (traits.httpQuery) {
      const values = parameters.getAll(traits.httpQuery);
      if (values.length > 0) bound[name] = readQuery(member, values);
    } else if (traits.httpQueryParams) bound[name] = Object.fromEntries(parameters);
    else if (header !== undefined && header !== '') bound[name] = readHeader(member, String(header));
    else if (traits.httpPayload) {
      inBody = false;
      const plain = member.isBlobSchema() || member.isStringSchema();
      if (member.isBlobSchema()) bound[name] = new Uint8Array(request.body);
      else if (member.isStringSchema()) bound[name] = request.body.toString('utf8');
      else if (!plain && request.body.length > 0) bound[name] = codec.read(member, request.body);
    }
  }
  if (!inBody || request.body.length === 0) return bound;
  return { ...(codec.read(shape.input, request.body) as object), ...bound };
};

interface Bound {
  readonly status: number | undefined;
  readonly headers: Record<string, string>;
  readonly payload: { readonly schema: NormalizedSchema; readonly value: unknown } | undefined;
  /** What is left for the body. */
  readonly members: Record<string, unknown>;
}

const bind = (schema: NormalizedSchema, value: Readonly<Record<string, unknown>>): Bound => {
  const headers: Record<string, string> = {};
  const members: Record<string, unknown> = {};
  let status: number | undefined;
  let payload: Bound['payload'];
  for (const [name, member] of schema.isStructSchema() ? schema.structIterator() : []) {
    const traits = member.getMergedTraits() as Traits;
    const given = value[name];
    if (traits.httpPayload) payload = { schema: member, value: given };
    else if (given === undefined || given === null) continue;
    else if (traits.httpHeader) headers[traits.httpHeader.toLowerCase()] = writeText(member, given);
    else if (traits.httpResponseCode) status = Number(given);
    else if (traits.httpPrefixHeaders !== undefined) {
      for (const [key, text] of Object.entries(given)) headers[`${traits.httpPrefixHeaders}${key}`] = String(text);
    } else members[name] = given;
  }
  return { status, headers, payload, members };
};

const writePayload = (codec: BodyCodec, { schema, value }: NonNullable<Bound['payload']>): string | Uint8Array => {
  if (value === undefined || value === null) return '';
  if (typeof value === 'string' || value instanceof Uint8Array) return value;
  return codec.write(schema, value);
};

const writeBindings = (
  codec: BodyCodec,
  shape: OperationShape,
  output: Readonly<Record<string, unknown>>,
): WireAnswer => {
  const { status, headers, payload, members } = bind(shape.output, output);
  const success = status ?? shape.http?.status ?? 200;
  const empty = shape.output.isUnitSchema() || success === 204;
  const body = payload ? writePayload(codec, payload) : empty ? '' : codec.write(shape.output, members);
  return { status: success, headers: { 'content-type': codec.contentType, ...headers }, body };
};

const json: BodyCodec = {
  contentType: 'application/json',
  read: (schema, body) => readJson('rest', schema, body),
  write: (schema, value) => writeJson('rest', schema, value),
};

/** restJson1: operations by method and path, members in path, query, headers and a JSON body. */
export const restJsonWire: Wire = {
  asked,
  input: (shape, request, wire) => readBindings(json, shape, request, wire),
  answer(shape, output, requestId) {
    const answer = writeBindings(json, shape, output);
    return { ...answer, headers: { ...answer.headers, 'x-amzn-requestid': requestId } };
  },
  refuse(refusal, requestId) {
    const { headers } = refusal.schema ? bind(refusal.schema, errorMembers(refusal)) : { headers: {} };
    return {
      status: refusal.status,
      headers: {
        'content-type': json.contentType,
        'x-amzn-errortype': refusal.name,
        'x-amzn-requestid': requestId,
        ...headers,
      },
      body: writeJsonError('rest', refusal),
    };
  },
};

/** restXml: the same bindings over an XML body. S3 is not served by it: its bodies are streams. */
export const restXmlWire = (xmlNamespace: string): Wire => {
  const deserializer = new XmlShapeDeserializer({ timestampFormat: isoDates, xmlNamespace, serviceNamespace: '' });
  const xml: BodyCodec = {
    contentType: 'application/xml',
    read: (schema, body) => deserializer.read(schema, body),
    write: (schema, value) => writeXml(schema, value, xmlNamespace),
  };
  return {
    asked,
    input: (shape, request, wire) => readBindings(xml, shape, request, wire),
    answer(shape, output, requestId) {
      const answer = writeBindings(xml, shape, output);
      return { ...answer, headers: { ...answer.headers, 'x-amz-request-id': requestId } };
    },
    refuse(refusal, requestId) {
      const { name: code, message, status, schema } = refusal;
      const { message: _low, Message: _high, ...rest } = errorMembers(refusal);
      const members = schema ? writeXmlMembers(schema, rest) : '';
      return {
        status,
        headers: { 'content-type': xml.contentType, 'x-amz-request-id': requestId },
        body: writeXmlError({ code, message, status, requestId, members, xmlNamespace }),
      };
    },
  };
};
