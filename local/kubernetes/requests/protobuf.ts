import { badRequest, StatusError } from '../status.ts';

/** How a field of a message is read. `map` and `bytesMap` are entries of string keys. */
type Reader = 'string' | 'number' | 'boolean' | 'strings' | 'map' | 'bytesMap' | Message | { readonly many: Message };

interface Message {
  readonly [field: number]: readonly [name: string, reader: Reader];
}

const ownerReference: Message = {
  1: ['kind', 'string'],
  3: ['name', 'string'],
  4: ['uid', 'string'],
  5: ['apiVersion', 'string'],
  6: ['controller', 'boolean'],
  7: ['blockOwnerDeletion', 'boolean'],
};

const metadata: Message = {
  1: ['name', 'string'],
  2: ['generateName', 'string'],
  3: ['namespace', 'string'],
  5: ['uid', 'string'],
  6: ['resourceVersion', 'string'],
  7: ['generation', 'number'],
  11: ['labels', 'map'],
  12: ['annotations', 'map'],
  13: ['ownerReferences', { many: ownerReference }],
  14: ['finalizers', 'strings'],
};

/** Field numbers: k8s.io/api core/v1/generated.proto, k8s.io/apimachinery meta/v1/generated.proto. */
const messages: Readonly<Record<string, Message>> = {
  Namespace: {
    1: ['metadata', metadata],
    2: ['spec', { 1: ['finalizers', 'strings'] }],
    3: ['status', { 1: ['phase', 'string'] }],
  },
  Secret: {
    1: ['metadata', metadata],
    2: ['data', 'bytesMap'],
    3: ['type', 'string'],
    4: ['stringData', 'map'],
    5: ['immutable', 'boolean'],
  },
  ConfigMap: {
    1: ['metadata', metadata],
    2: ['data', 'map'],
    3: ['binaryData', 'bytesMap'],
    4: ['immutable', 'boolean'],
  },
  DeleteOptions: {
    1: ['gracePeriodSeconds', 'number'],
    2: ['preconditions', { 1: ['uid', 'string'], 2: ['resourceVersion', 'string'] }],
    3: ['orphanDependents', 'boolean'],
    4: ['propagationPolicy', 'string'],
    5: ['dryRun', 'strings'],
  },
};

interface Field {
  readonly number: number;
  readonly value: bigint | Buffer;
}

const truncated = (): Error => badRequest('the protobuf body ends in the middle of a field');

const readVarint = (bytes: Buffer, start: number): { value: bigint; next: number } => {
  let value = 0n;
  let shift = 0n;
  for (let at = start; at < bytes.length; at++) {
    value |= BigInt(bytes[at]! & 0x7f) << shift;
    shift += 7n;
    if (bytes[at]! < 0x80) return { value, next: at + 1 };
  }
  throw truncated();
};

const fixedLengths: Readonly<Record<number, number>> = { 1: 8, 5: 4 };

function* readFields(bytes: Buffer): Generator<Field> {
  let at = 0;
  while (at < bytes.length) {
    const tag = readVarint(bytes, at);
    const number = Number(tag.value >> 3n);
    const type = Number(tag.value & 7n);
    const fixed = fixedLengths[type];
    if (fixed !== undefined) {
      at = tag.next + fixed;
      continue;
    }
    const { value, next } = readVarint(bytes, tag.next);
    if (type === 0) {
      yield { number, value };
      at = next;
    } else if (type === 2) {
      at = next + Number(value);
      if (at > bytes.length) throw truncated();
      yield { number, value: bytes.subarray(next, at) };
    } else throw badRequest(`the protobuf body has a field of unknown wire type ${type}`);
  }
}

const readEntry = (bytes: Buffer, encoding: 'utf8' | 'base64'): [string, string] => {
  let key = '';
  let text = '';
  for (const { number, value } of readFields(bytes)) {
    if (number === 1) key = value.toString();
    else text = Buffer.isBuffer(value) ? value.toString(encoding) : '';
  }
  return [key, text];
};

const readMessage = (bytes: Buffer, message: Message): Record<string, unknown> => {
  const object: Record<string, unknown> = {};
  for (const { number, value } of readFields(bytes)) {
    const [name, reader] = message[number] ?? [];
    if (name === undefined || reader === undefined) continue;
    const earlier = object[name];
    if (reader === 'number') object[name] = Number(value);
    else if (reader === 'boolean') object[name] = value === 1n;
    else if (!Buffer.isBuffer(value)) throw badRequest(`the protobuf field ${name} has the wrong wire type`);
    else if (reader === 'string') {
      // An empty string is how protobuf says that a field is not set.
      if (value.length > 0) object[name] = value.toString();
    } else if (reader === 'strings') object[name] = [...((earlier as string[]) ?? []), value.toString()];
    else if (reader === 'map' || reader === 'bytesMap') {
      const [key, text] = readEntry(value, reader === 'map' ? 'utf8' : 'base64');
      object[name] = { ...(earlier as object), [key]: text };
    } else if ('many' in reader)
      object[name] = [...((earlier as object[]) ?? []), readMessage(value, reader.many as Message)];
    else object[name] = readMessage(value, reader);
  }
  return object;
};

const magic = 'k8s\0';

/** The envelope `runtime.Unknown` begins with four bytes of its own. */
export const isProtobuf = (bytes: Buffer): boolean => bytes.subarray(0, 4).toString('latin1') === magic;

/**
 * The messages that Helm's typed client writes: Namespace, Secret, ConfigMap and DeleteOptions. Throws 415 for others, so
 * that the client can be told to send JSON.
 */
export const decodeProtobuf = (bytes: Buffer): Record<string, unknown> => {
  let apiVersion = '';
  let kind = '';
  let raw: Buffer = Buffer.alloc(0);
  for (const { number, value } of readFields(bytes.subarray(4))) {
    if (!Buffer.isBuffer(value)) continue;
    if (number === 2) raw = value;
    if (number !== 1) continue;
    for (const field of readFields(value)) {
      if (field.number === 1) apiVersion = field.value.toString();
      if (field.number === 2) kind = field.value.toString();
    }
  }
  const message = messages[kind];
  if (!message) {
    throw new StatusError(
      415,
      'UnsupportedMediaType',
      `the body of the request was in protobuf, which is read here for ${Object.keys(messages).join(', ')} and not for ${kind}; send application/json`,
    );
  }
  return { apiVersion, kind, ...readMessage(raw, message) };
};
