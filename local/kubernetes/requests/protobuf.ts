import { badRequest, StatusError } from '../status.ts';
import { type Message, messages } from './protobuf-messages.ts';

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

/** A Quantity is a message with its text as field 1. */
const readQuantity = (bytes: Buffer): [string, string] => {
  let key = '';
  let text = '';
  for (const { number, value } of readFields(bytes)) {
    if (!Buffer.isBuffer(value)) continue;
    if (number === 1) key = value.toString();
    else for (const field of readFields(value)) text = field.value.toString();
  }
  return [key, text];
};

const isUnset = (value: bigint | Buffer): boolean => (Buffer.isBuffer(value) ? value.length === 0 : value === 0n);

const unread = (number: number, parent: string): StatusError =>
  new StatusError(
    415,
    'UnsupportedMediaType',
    `the body of the request was in protobuf, whose field ${number} of ${parent} is not read here; send application/json`,
  );

/** Throws 415 for a field that is set and that no reader knows: to drop it would lose what the client wants. */
const readMessage = (bytes: Buffer, message: Message, parent: string): Record<string, unknown> => {
  const object: Record<string, unknown> = {};
  for (const { number, value } of readFields(bytes)) {
    const [name, reader] = message[number] ?? [];
    if (name === undefined || reader === undefined) {
      if (isUnset(value)) continue;
      throw unread(number, parent);
    }
    const earlier = object[name];
    if (reader === 'ignored') continue;
    if (reader === 'number') object[name] = Number(BigInt.asIntN(64, BigInt(value as bigint)));
    else if (reader === 'boolean') object[name] = value === 1n;
    else if (!Buffer.isBuffer(value)) throw badRequest(`the protobuf field ${name} has the wrong wire type`);
    else if (reader === 'string') {
      // An empty string is how protobuf says that a field is not set.
      if (value.length > 0) object[name] = value.toString();
    } else if (reader === 'strings') object[name] = [...((earlier as string[]) ?? []), value.toString()];
    else if (reader === 'map' || reader === 'bytesMap') {
      const [key, text] = readEntry(value, reader === 'map' ? 'utf8' : 'base64');
      object[name] = { ...(earlier as object), [key]: text };
    } else if (reader === 'quantities') {
      const [key, text] = readQuantity(value);
      object[name] = { ...(earlier as object), [key]: text };
    } else if ('many' in reader) {
      object[name] = [
        ...((earlier as object[]) ?? []),
        readMessage(value, reader.many as Message, `${parent}.${name}`),
      ];
    } else object[name] = readMessage(value, reader, `${parent}.${name}`);
  }
  return object;
};

const magic = 'k8s\0';

/** The envelope `runtime.Unknown` begins with four bytes of its own. */
export const isProtobuf = (bytes: Buffer): boolean => bytes.subarray(0, 4).toString('latin1') === magic;

/**
 * The messages that the typed clients of Helm and of kubectl's `create` and `auth` write. Throws 415 for others, so that the
 * client can be told to send JSON.
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
  return { apiVersion, kind, ...readMessage(raw, message, kind) };
};
