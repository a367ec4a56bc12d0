import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, readdirSync, readFileSync, renameSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { type BuildOptions, build, type Metafile, stop, version } from 'esbuild';
import { handlerBundle } from '../../domain/handler-bundle.ts';

/** A source file of a bundle; size and time tell at once that it is the same, the hash tells when only those changed. */
interface Source {
  readonly path: string;
  readonly size: number;
  readonly modified: number;
  readonly sha256: string;
}

/** What one build was made of, written beside its output. */
interface BuildRecord {
  readonly recipe: string;
  readonly sources: readonly Source[];
  readonly files: Readonly<Record<string, string>>;
}

const options: BuildOptions = {
  bundle: true,
  format: 'esm',
  platform: 'node',
  ...handlerBundle,
  minify: false,
  // Handlers share chunks, so the SDK is parsed and cached once for all of them.
  splitting: true,
  sourcemap: true,
  outExtension: { '.js': '.mjs' },
  chunkNames: 'chunks/[name]-[hash]',
  loader: { '.sql': 'text' },
  banner: { js: handlerBundle.banner },
  logLevel: 'silent',
};

const hash = (data: string | Uint8Array): string => createHash('sha256').update(data).digest('hex');

const readSource = (path: string): Source => {
  const { size, mtimeMs } = statSync(path);
  return { path, size, modified: mtimeMs, sha256: hash(readFileSync(path)) };
};

const isUnchanged = (source: Source): boolean => {
  const now = statSync(source.path, { throwIfNoEntry: false });
  if (!now || now.size !== source.size) return false;
  return now.mtimeMs === source.modified || hash(readFileSync(source.path)) === source.sha256;
};

const readRecord = (file: string): BuildRecord | undefined => {
  try {
    return JSON.parse(readFileSync(file, 'utf8')) as BuildRecord;
  } catch {
    // No record, or one cut short by a crash: build again.
    return undefined;
  }
};

const lockHash = (root: string): string => {
  const file = join(root, 'package-lock.json');
  return existsSync(file) ? hash(readFileSync(file)) : '';
};

const outputOf = (metafile: Metafile, entry: string): string => {
  const found = Object.entries(metafile.outputs).find(([, output]) => output.entryPoint === entry);
  if (!found) throw new Error(`esbuild wrote no output for ${entry}`);
  return found[0];
};

/** Processes that still run may load a chunk of an older build, and another process may be building beside us. */
const keptBuilds = 5;
const keptMilliseconds = 600_000;

const sweep = (outDirectory: string): void => {
  const builds = readdirSync(outDirectory, { withFileTypes: true })
    .filter((entry) => entry.isDirectory() && entry.name.startsWith('build-'))
    .map(({ name }) => join(outDirectory, name))
    .map((path) => ({ path, built: statSync(path, { throwIfNoEntry: false })?.mtimeMs ?? 0 }))
    .sort((a, b) => b.built - a.built);
  for (const { path, built } of builds.slice(keptBuilds)) {
    if (built < Date.now() - keptMilliseconds) rmSync(path, { recursive: true, force: true });
  }
};

/**
 * Bundles handler files (paths from `root`) into `.mjs` files that share chunks, and answers entry -> absolute path.
 * A second call with unchanged sources, lock file and options answers from the record of the first.
 */
export const bundleHandlers = async (request: {
  root: string;
  entries: readonly string[];
  outDirectory: string;
}): Promise<Map<string, string>> => {
  const { root } = request;
  const outDirectory = resolve(request.outDirectory);
  const entries = [...new Set(request.entries)].sort();
  const recordFile = join(outDirectory, 'bundle.json');
  const recipe = hash(JSON.stringify([version, options, resolve(root), entries, lockHash(root)]));
  const last = readRecord(recordFile);
  if (
    last?.recipe === recipe &&
    last.sources.every(isUnchanged) &&
    Object.values(last.files).every((file) => existsSync(file))
  ) {
    return new Map(Object.entries(last.files));
  }
  mkdirSync(outDirectory, { recursive: true });
  const directory = join(outDirectory, `build-${Date.now().toString(36)}-${process.pid}`);
  const { metafile } = await build({
    ...options,
    absWorkingDir: resolve(root),
    entryPoints: entries,
    outbase: '.',
    outdir: directory,
    metafile: true,
  });
  // Its service process would stay for as long as the cloud runs.
  await stop();
  const sources = Object.keys(metafile.inputs).map((path) => readSource(resolve(root, path)));
  const files = Object.fromEntries(entries.map((entry) => [entry, resolve(root, outputOf(metafile, entry))]));
  const record: BuildRecord = { recipe, sources, files };
  writeFileSync(`${recordFile}.${process.pid}.draft`, JSON.stringify(record));
  renameSync(`${recordFile}.${process.pid}.draft`, recordFile);
  sweep(outDirectory);
  return new Map(Object.entries(files));
};
