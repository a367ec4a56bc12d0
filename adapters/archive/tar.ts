/** Blocks of a POSIX tar (ustar), enough for plain files: `tar x` on any system reads them. */
const blockSize = 512;

/** Bytes that bring a file of that length to a full block. */
const padding = (length: number): Buffer => Buffer.alloc((blockSize - (length % blockSize)) % blockSize);

/** A number as ustar writes it: octal digits, ended by NUL. */
const octal = (value: number, width: number): string => `${value.toString(8).padStart(width - 1, '0')}\0`;

/** Text of a header's field, up to its NUL or space. */
const field = (block: Buffer, start: number, length: number): string =>
  block.toString('latin1', start, start + length).replace(/[\0 ].*$/s, '');

/** Name, size and place of the content of a tar's first file; undefined where the bytes are no ustar. */
export const firstFile = (head: Buffer): { name: string; size: number; offset: number } | undefined => {
  if (head.length < blockSize || field(head, 257, 5) !== 'ustar') return undefined;
  const size = Number.parseInt(field(head, 124, 12), 8);
  return Number.isSafeInteger(size) ? { name: field(head, 0, 100), size, offset: blockSize } : undefined;
};

/** Owner 0, mode 600, time 0: the same content gives the same bytes. */
const header = (name: string, size: number): Buffer => {
  const block = Buffer.alloc(blockSize);
  block.write(name, 0, 100, 'ascii');
  block.write(octal(0o600, 8), 100, 'ascii');
  block.write(octal(0, 8), 108, 'ascii');
  block.write(octal(0, 8), 116, 'ascii');
  block.write(octal(size, 12), 124, 'ascii');
  block.write(octal(0, 12), 136, 'ascii');
  block.write('        ', 148, 'ascii');
  block.write('0', 156, 'ascii');
  block.write('ustar\u000000', 257, 'ascii');
  let sum = 0;
  for (const byte of block) sum += byte;
  block.write(`${sum.toString(8).padStart(6, '0')}\0 `, 148, 'ascii');
  return block;
};

export interface TarFile {
  /** ASCII, at most 99 characters. */
  readonly name: string;
  readonly content: Buffer;
}

/** Where the content of each of the files begins, by their lengths. */
export const tarOffsets = (lengths: readonly number[]): number[] => {
  let end = 0;
  return lengths.map((length) => {
    const offset = end + blockSize;
    end = offset + Math.ceil(length / blockSize) * blockSize;
    return offset;
  });
};

/** A whole tar and where the content of each file begins in it, in the order of the files. */
export const packTar = (files: readonly TarFile[]): { readonly tar: Buffer; readonly offsets: readonly number[] } => {
  const parts: Buffer[] = [];
  const offsets: number[] = [];
  let length = 0;
  const add = (part: Buffer): void => {
    parts.push(part);
    length += part.length;
  };
  for (const { name, content } of files) {
    add(header(name, content.length));
    offsets.push(length);
    add(content);
    add(padding(content.length));
  }
  add(Buffer.alloc(2 * blockSize));
  return { tar: Buffer.concat(parts, length), offsets };
};
