import { randomUUID } from 'node:crypto';
import { mkdirSync, readdirSync, rmSync } from 'node:fs';
import { type FileHandle, open, unlink } from 'node:fs/promises';
import { join } from 'node:path';

/** Where the bytes of one piece of an object are: in a file of their own, or, when few, in the metadata row itself. */
export interface Body {
  readonly size: number;
  readonly file: string | null;
  readonly bytes: Uint8Array | null;
}

/** Takes the bytes of one upload as they come. Nothing refers to them until a row with the finished body is committed. */
export interface Spool {
  /** Keeps `chunks`; resolves when more may come, so that a fast client waits for a slow disk. */
  write(chunks: readonly Buffer[]): Promise<void> | undefined;
  finish(): Promise<Body>;
  discard(): Promise<void>;
}

export interface Blobs {
  spool(): Spool;
  /** Bytes `start` to `end` (inclusive) of the bodies laid end to end. Hold the files while it runs. */
  read(bodies: readonly Body[], start: number, end: number): AsyncGenerator<Buffer>;
  /** Keeps files on disk that are removed meanwhile, until the answer is called: a slow reader sees a whole object. */
  hold(bodies: readonly Body[]): () => void;
  remove(files: readonly string[]): void;
  /** Removes every file that `isReferenced` denies: what uploads left behind that a crash cut short. */
  sweep(isReferenced: (file: string) => boolean): number;
  close(): Promise<void>;
}

/**
 * Bodies up to here live in SQLite: a 4 KiB PUT then costs a share of one group commit (0.1 ms) instead of creating,
 * writing, syncing and closing a file (0.57 ms), and needs no clean-up after a crash.
 */
export const inlineLimit = 32 * 1024;
const writeSize = 1024 * 1024;
const readSize = 256 * 1024;

export const openBlobs = ({ directory, fsync }: { directory: string; fsync: boolean }): Blobs => {
  const root = join(directory, 'blobs');
  mkdirSync(root, { recursive: true });
  const folders = new Set(readdirSync(root));
  const readers = new Map<string, number>();
  const doomed = new Set<string>();
  const removals = new Set<Promise<void>>();

  const pathOf = (file: string): string => join(root, file.slice(0, 2), file);

  const removeNow = (file: string): void => {
    // A file that cannot be removed now is unreferenced and falls to the sweep of the next start.
    const removal = unlink(pathOf(file)).catch(() => undefined);
    removals.add(removal);
    void removal.then(() => removals.delete(removal));
  };

  const create = async (file: string): Promise<FileHandle> => {
    const folder = file.slice(0, 2);
    if (!folders.has(folder)) {
      mkdirSync(join(root, folder), { recursive: true });
      folders.add(folder);
    }
    return open(pathOf(file), 'wx');
  };

  const spool = (): Spool => {
    const file = randomUUID();
    let handle: FileHandle | undefined;
    let batch: Buffer[] = [];
    let batchSize = 0;
    let size = 0;
    let writing: Promise<void> | undefined;

    const flush = async (): Promise<void> => {
      await writing;
      const chunks = batch;
      batch = [];
      batchSize = 0;
      handle ??= await create(file);
      const target = handle;
      // One write is under way while the next batch is received and hashed.
      writing = writeFully(target, chunks);
      writing.catch(() => undefined);
    };

    return {
      write(chunks) {
        for (const chunk of chunks) {
          batch.push(chunk);
          batchSize += chunk.length;
          size += chunk.length;
        }
        return batchSize >= writeSize ? flush() : undefined;
      },
      async finish() {
        if (size <= inlineLimit) return { size, file: null, bytes: Buffer.concat(batch) };
        if (batchSize > 0) await flush();
        await writing;
        if (fsync) await handle!.datasync();
        await handle!.close();
        return { size, file, bytes: null };
      },
      async discard() {
        await writing?.catch(() => undefined);
        if (!handle) return;
        await handle.close().catch(() => undefined);
        removeNow(file);
      },
    };
  };

  return {
    spool,
    async *read(bodies, start, end) {
      let offset = 0;
      for (const body of bodies) {
        const first = Math.max(start - offset, 0);
        const last = Math.min(end - offset, body.size - 1);
        offset += body.size;
        if (first > last) continue;
        if (body.bytes) yield Buffer.from(body.bytes.buffer, body.bytes.byteOffset + first, last - first + 1);
        else yield* readFileRange(pathOf(body.file!), first, last);
      }
    },
    hold(bodies) {
      const files = bodies.flatMap((body) => body.file ?? []);
      for (const file of files) readers.set(file, (readers.get(file) ?? 0) + 1);
      let held = true;
      return () => {
        if (!held) return;
        held = false;
        for (const file of files) {
          const left = readers.get(file)! - 1;
          if (left > 0) {
            readers.set(file, left);
            continue;
          }
          readers.delete(file);
          if (doomed.delete(file)) removeNow(file);
        }
      };
    },
    remove(files) {
      for (const file of files) {
        if (readers.has(file)) doomed.add(file);
        else removeNow(file);
      }
    },
    sweep(isReferenced) {
      let removed = 0;
      for (const folder of folders) {
        for (const file of readdirSync(join(root, folder))) {
          if (isReferenced(file)) continue;
          rmSync(join(root, folder, file), { force: true });
          removed += 1;
        }
      }
      return removed;
    },
    async close() {
      await Promise.all(removals);
    },
  };
};

/** writev may write less than it was given (a full disk, a signal); the rest must follow or the object has a hole. */
const writeFully = async (handle: FileHandle, chunks: readonly Buffer[]): Promise<void> => {
  let rest: readonly Buffer[] = chunks;
  while (rest.length > 0) {
    let { bytesWritten } = await handle.writev(rest);
    const left: Buffer[] = [];
    for (const chunk of rest) {
      if (bytesWritten < chunk.length) left.push(chunk.subarray(bytesWritten));
      bytesWritten = Math.max(bytesWritten - chunk.length, 0);
    }
    rest = left;
  }
};

async function* readFileRange(path: string, first: number, last: number): AsyncGenerator<Buffer> {
  const handle = await open(path, 'r');
  try {
    for (let at = first; at <= last; ) {
      const buffer = Buffer.allocUnsafeSlow(Math.min(readSize, last - at + 1));
      const { bytesRead } = await handle.read(buffer, 0, buffer.length, at);
      if (bytesRead === 0) throw new Error(`${path} ends at byte ${at}, before byte ${last} that its row promises`);
      yield bytesRead < buffer.length ? buffer.subarray(0, bytesRead) : buffer;
      at += bytesRead;
    }
  } finally {
    await handle.close();
  }
}
