import { type ChecksumName, checksumNamed } from './checksums.ts';
import { checkWrite } from './conditions.ts';
import { s3Error } from './errors.ts';
import { answerEmpty, type Exchange } from './exchange.ts';
import { lockOf } from './locks.ts';
import { receive } from './payload.ts';
import { tagsOfHeader } from './tags.ts';
import { checksumHeaders, encryptionHeaders, encryptionOf, repeatedHeaders, storageClassOf } from './traits.ts';
import type { Version } from './version-rows.ts';

/** Current object of a key for conditions; a delete marker means there is none. */
export const existing = (version: Version | undefined): Version | undefined => (version?.marker ? undefined : version);

/** Tells the version only where the bucket has versions, as AWS does. */
export const versionHeader = (versionId: string): Record<string, string> =>
  versionId === 'null' ? {} : { 'x-amz-version-id': versionId };

/** Without a checksum from the client, AWS computes CRC64NVME, and so does this S3: at 745 MB/s it costs little. */
const usualChecksum: ChecksumName = 'crc64nvme';

export const putObject = async ({ store, request, payload, response }: Exchange): Promise<void> => {
  const { key, headers } = request;
  if (headers['x-amz-write-offset-bytes'] !== undefined) {
    throw s3Error('NotImplemented', 'Appending with x-amz-write-offset-bytes is not implemented.');
  }
  const early = store.buckets.get(request.bucket);
  // Looked at before the body comes, to save receiving what would be refused, and again in the commit, where it counts.
  checkWrite(headers, existing(store.versions.current(early, key)), key);
  const said = {
    headers: repeatedHeaders(headers),
    encryption: encryptionOf(headers, early.encryption),
    ...storageClassOf(headers),
  };
  const tags = tagsOfHeader(headers['x-amz-tagging']);
  const asked = headers['x-amz-sdk-checksum-algorithm'];
  const received = await receive(
    request,
    payload,
    store.blobs.spool(),
    (sent) => sent ?? (asked ? checksumNamed(asked) : usualChecksum),
  );
  const name = received.sent ?? (asked ? checksumNamed(asked) : usualChecksum);
  const checksum = { name, value: received.checksums.get(name)!, type: 'FULL_OBJECT' as const };
  const { body, md5: etag } = received;
  try {
    const versionId = await store.commit((garbage) => {
      const bucket = store.buckets.get(request.bucket);
      checkWrite(headers, existing(store.versions.current(bucket, key)), key);
      const modified = store.now();
      const lock = lockOf(headers, bucket, modified);
      const pieces = [{ body: store.bodies.add(body), checksum: null }];
      const traits = { ...said, checksum };
      return store.versions.add(bucket, { key, size: body.size, etag, modified, traits, tags, lock, pieces }, garbage);
    });
    answerEmpty(response, 200, {
      etag: `"${etag}"`,
      ...checksumHeaders(checksum),
      ...encryptionHeaders(said.encryption),
      ...versionHeader(versionId),
    });
  } catch (error) {
    if (body.file !== null) store.blobs.remove([body.file]);
    throw error;
  }
};
