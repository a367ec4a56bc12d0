import { createHash } from 'node:crypto';

/** A message attribute as the store keeps it: binary values in base64. */
export interface StoredAttribute {
  readonly DataType: string;
  readonly StringValue?: string;
  readonly BinaryValue?: string;
}

export const md5 = (data: string | Uint8Array): string => createHash('md5').update(data).digest('hex');

const lengthPrefixed = (bytes: Uint8Array): Uint8Array[] => {
  const length = Buffer.alloc(4);
  length.writeUInt32BE(bytes.byteLength);
  return [length, bytes];
};

/**
 * MD5 of message attributes as SDK clients recompute it: by name; length and bytes of name, type and value, between the
 * last two one byte that tells text (1) from binary (2). SQS developer guide, "Calculating the MD5 message digest".
 */
export const md5OfAttributes = (attributes: Readonly<Record<string, StoredAttribute>>): string | undefined => {
  // Code-unit order, not the locale's: the SDK sorts with Array.prototype.sort.
  const names = Object.keys(attributes).sort();
  if (names.length === 0) return undefined;
  const parts = names.flatMap((name) => {
    const { DataType, StringValue, BinaryValue } = attributes[name]!;
    const binary = DataType.startsWith('Binary');
    const value = binary ? Buffer.from(BinaryValue ?? '', 'base64') : Buffer.from(StringValue ?? '');
    return [
      ...lengthPrefixed(Buffer.from(name)),
      ...lengthPrefixed(Buffer.from(DataType)),
      Uint8Array.of(binary ? 2 : 1),
      ...lengthPrefixed(value),
    ];
  });
  return md5(Buffer.concat(parts));
};
