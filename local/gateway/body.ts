import type { IncomingMessage } from 'node:http';

/** Larger than Lambda's 6 MiB of payload, the largest that any schema service takes. */
export const bodyLimit = 8 * 1024 * 1024;

/** The whole body, or undefined when it is larger than `bodyLimit` bytes; what is too much is read and dropped. */
export const readBody = async (request: IncomingMessage): Promise<Buffer | undefined> => {
  const chunks: Buffer[] = [];
  let size = 0;
  for await (const chunk of request as AsyncIterable<Buffer>) {
    size += chunk.length;
    if (size <= bodyLimit) chunks.push(chunk);
    else chunks.length = 0;
  }
  return size > bodyLimit ? undefined : Buffer.concat(chunks, size);
};
