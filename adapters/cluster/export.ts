import { createHash } from 'node:crypto';
import { promisify } from 'node:util';
import { gunzip, gzip } from 'node:zlib';
import * as z from 'zod';
import { StepFailure } from '../../domain/errors.ts';
import { isKept, isWish, leaveToScalers, strip } from '../../domain/workload/exported.ts';
import { type KubeObject, objectName } from '../../domain/workload/object.ts';
import { rankOf } from '../../domain/workload/order.ts';
import type { Cluster } from './cluster.ts';

const zip = promisify(gzip);
const unzip = promisify(gunzip);

const manifestSchema = z.object({
  format: z.literal(1),
  tenant: z.string(),
  cluster: z.string(),
  namespace: z.string(),
  /** Version of Kubernetes. */
  kubernetes: z.string(),
  takenAt: z.string(),
  /** Of `objects.ndjson.gz`, as stored. */
  sha256: z.string(),
  /** In the order of the lines, which is that of a restore; SHA-256 of each line. */
  objects: z.array(z.object({ apiVersion: z.string(), kind: z.string(), name: z.string(), sha256: z.string() })),
});

/** `manifest.json` of the objects of one namespace. */
export type ObjectsManifest = z.output<typeof manifestSchema>;

export interface ExportedObjects {
  readonly manifest: ObjectsManifest;
  /** `objects.ndjson.gz`: an object a line. */
  readonly body: Buffer;
}

const sha256 = (data: string | Uint8Array): string => createHash('sha256').update(data).digest('hex');

const linesOf = async (body: Uint8Array): Promise<string[]> => (await unzip(body)).toString().split('\n').slice(0, -1);

/** The part of a manifest that follows from `objects.ndjson.gz`. */
export const describeBody = async (body: Uint8Array): Promise<Pick<ObjectsManifest, 'sha256' | 'objects'>> => ({
  sha256: sha256(body),
  objects: (await linesOf(body)).map((line) => {
    const { apiVersion, kind, metadata } = JSON.parse(line) as KubeObject;
    return { apiVersion, kind, name: metadata.name, sha256: sha256(line) };
  }),
});

/**
 * What is wished for in a namespace, as two files of an archive: every kind that the cluster serves there, custom ones too,
 * without what controllers made of it. Of Secrets names, types and keys only. The namespace itself comes first. Undefined when
 * there is no such namespace.
 */
export const exportNamespace = async (
  cluster: Cluster,
  { namespace, tenantId, now }: { readonly namespace: string; readonly tenantId: string; readonly now: Date },
): Promise<ExportedObjects | undefined> => {
  const own = await cluster.get({ apiVersion: 'v1', kind: 'Namespace', name: namespace });
  if (!own) return undefined;
  const kinds = (await cluster.kinds()).filter(({ kind, namespaced }) => namespaced && isKept(kind));
  const listed = await Promise.all(kinds.map((kind) => cluster.list(kind, { namespace })));
  const objects = leaveToScalers([own, ...listed.flat().filter(isWish)].map(strip)).toSorted(
    (a, b) => rankOf(a.kind) - rankOf(b.kind) || (objectName(a) < objectName(b) ? -1 : 1),
  );
  const body = await zip(objects.map((object) => `${JSON.stringify(object)}\n`).join(''));
  return {
    body,
    manifest: {
      format: 1,
      tenant: tenantId,
      cluster: cluster.name,
      namespace,
      kubernetes: await cluster.version(),
      takenAt: now.toISOString(),
      ...(await describeBody(body)),
    },
  };
};

const damaged = (what: string): StepFailure =>
  new StepFailure('ArchiveDamaged', `the Kubernetes objects of the archive are damaged: ${what}; take another backup`);

/** The objects behind a manifest, in the order of a restore. Throws ArchiveDamaged unless every byte and line is what it was. */
export const readExported = async (manifest: unknown, body: Uint8Array): Promise<KubeObject[]> => {
  const parsed = manifestSchema.safeParse(manifest);
  if (!parsed.success) throw damaged('their manifest has another form');
  if (sha256(body) !== parsed.data.sha256)
    throw damaged('objects.ndjson.gz has another SHA-256 than its manifest says');
  const lines = await linesOf(body);
  if (lines.length !== parsed.data.objects.length)
    throw damaged('there are more or fewer objects than in the manifest');
  for (const [index, { kind, name, sha256: wanted }] of parsed.data.objects.entries())
    if (sha256(lines[index]!) !== wanted) throw damaged(`${kind} ${name} has another SHA-256 than its manifest says`);
  return lines.map((line) => JSON.parse(line) as KubeObject);
};
