import { ServiceError } from '../gateway/service.ts';
import type { Garbage } from './body-rows.ts';
import type { Bucket } from './bucket-rows.ts';
import { checkWrite } from './conditions.ts';
import { s3Error } from './errors.ts';
import { answerEmpty, answerXml, type Exchange, receiveXml } from './exchange.ts';
import { checkRemovable } from './locks.ts';
import { existing } from './objects.ts';
import { childrenNamed, textOf, type XmlValue } from './xml.ts';

interface Target {
  readonly key: string;
  readonly versionId: string | undefined;
  readonly etag?: string | undefined;
}

interface Outcome {
  /** Id of the removed version or of the new delete marker; undefined in a bucket without versions. */
  readonly versionId: string | undefined;
  /** A delete marker was made, or the removed version was one. */
  readonly marker: boolean;
}

/**
 * Deletes as S3 does. With a version id that version goes for good, unless it is locked. Without one, a bucket with
 * versions gets a delete marker and keeps everything. What does not exist is deleted without complaint.
 */
const removeObject = (exchange: Exchange, bucket: Bucket, target: Target, garbage: Garbage): Outcome => {
  const { store, request } = exchange;
  const { key, versionId, etag } = target;
  const now = store.now();
  if (etag !== undefined) checkWrite({ 'if-match': etag }, existing(store.versions.current(bucket, key)), key);
  if (versionId === undefined && bucket.versioning !== null) {
    return { versionId: store.versions.addMarker(bucket, key, now, garbage), marker: true };
  }
  const version =
    versionId === undefined ? store.versions.current(bucket, key) : store.versions.byId(bucket, key, versionId);
  if (version) {
    checkRemovable(version, request.headers, now);
    store.versions.remove(bucket, version, garbage);
  }
  return { versionId, marker: version?.marker ?? false };
};

export const deleteObject = async (exchange: Exchange): Promise<void> => {
  const { store, request, response } = exchange;
  const target = {
    key: request.key,
    versionId: request.query.get('versionId') ?? undefined,
    etag: request.headers['if-match'],
  };
  const { versionId, marker } = await store.commit((garbage) =>
    removeObject(exchange, store.buckets.get(request.bucket), target, garbage),
  );
  answerEmpty(response, 204, {
    ...(versionId === undefined ? {} : { 'x-amz-version-id': versionId }),
    ...(marker ? { 'x-amz-delete-marker': 'true' } : {}),
  });
};

/** AWS's limit of one request. */
const mostTargets = 1000;

/** Deletes up to 1,000 keys in one commit; those that are refused are told one by one, the others are gone. */
export const deleteObjects = async (exchange: Exchange): Promise<void> => {
  const { store, request, response } = exchange;
  const document = await receiveXml(exchange, 'Delete');
  const quiet = textOf(document, 'Quiet') === 'true';
  const targets = childrenNamed(document, 'Object').map((object) => ({
    key: textOf(object, 'Key') ?? '',
    versionId: textOf(object, 'VersionId'),
    etag: textOf(object, 'ETag'),
  }));
  if (targets.length === 0 || targets.length > mostTargets || targets.some(({ key }) => key === '')) {
    throw s3Error('MalformedXML', `Give 1 to ${mostTargets} objects, each with a key.`);
  }
  const outcomes = await store.commit((garbage) => {
    const bucket = store.buckets.get(request.bucket);
    return targets.map((target) => {
      try {
        return { target, outcome: removeObject(exchange, bucket, target, garbage) };
      } catch (error) {
        // Only what S3 refuses, which it does before it writes; a fault of the database must undo the whole commit.
        if (!(error instanceof ServiceError)) throw error;
        return { target, refusal: error };
      }
    });
  });
  const deleted: XmlValue[] = [];
  const refused: XmlValue[] = [];
  for (const { target, outcome, refusal } of outcomes) {
    const named = { Key: target.key, VersionId: target.versionId };
    if (refusal) refused.push({ ...named, Code: refusal.name, Message: refusal.message });
    else if (!quiet) {
      const marker = outcome.marker ? { DeleteMarker: true, DeleteMarkerVersionId: outcome.versionId } : {};
      deleted.push({ ...named, ...marker });
    }
  }
  answerXml(response, 'DeleteResult', { Deleted: deleted, Error: refused });
};
