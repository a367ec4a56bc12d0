import {
  createBucket,
  deleteBucket,
  getLocation,
  getVersioning,
  headBucket,
  listBuckets,
  putVersioning,
} from './buckets.ts';
import { copyObject } from './copies.ts';
import { deleteObject, deleteObjects } from './deletes.ts';
import { s3Error } from './errors.ts';
import type { Handler } from './exchange.ts';
import { listObjects, listObjectsV2, listUploads, listVersions } from './listings.ts';
import { getBucketLock, getLegalHold, getRetention, putBucketLock, putLegalHold, putRetention } from './locks.ts';
import { putObject } from './objects.ts';
import { listParts, putPart, putPartCopy } from './parts.ts';
import { getAttributes, getObject, headObject } from './reads.ts';
import type { S3Request } from './request.ts';
import { isDeletable, settingHandlers, settingNames } from './settings.ts';
import { deleteTags, getTags, putTags } from './tags.ts';
import { abortUpload, completeUpload, createUpload } from './uploads.ts';

/** Query parameters that refine a request; any other one names a sub-resource. */
const refinements: ReadonlySet<string> = new Set([
  ...['prefix', 'delimiter', 'marker', 'max-keys', 'continuation-token', 'start-after', 'encoding-type', 'fetch-owner'],
  ...['key-marker', 'version-id-marker', 'upload-id-marker', 'max-uploads', 'part-number-marker', 'max-parts'],
  ...['max-buckets', 'bucket-region', 'versionId', 'partNumber', 'x-id', 'response-content-type'],
  ...['response-content-language', 'response-expires', 'response-cache-control', 'response-content-disposition'],
  ...['response-content-encoding'],
]);

type Table = Readonly<Record<string, Handler>>;

const bucketSettings: Record<string, Handler> = {};
for (const name of settingNames) {
  bucketSettings[`GET ${name}`] = settingHandlers.get(name);
  bucketSettings[`PUT ${name}`] = settingHandlers.put(name);
  if (isDeletable(name)) bucketSettings[`DELETE ${name}`] = settingHandlers.drop(name);
}

/** Method and sub-resource -> what does it, for the three levels of S3. What is not here is refused by name. */
const tables: Readonly<Record<'service' | 'bucket' | 'object', Table>> = {
  service: { 'GET ': listBuckets },
  bucket: {
    'PUT ': createBucket,
    'HEAD ': headBucket,
    'DELETE ': deleteBucket,
    'GET ': listObjects,
    'GET list-type': listObjectsV2,
    'GET location': getLocation,
    'GET versioning': getVersioning,
    'PUT versioning': putVersioning,
    'GET versions': listVersions,
    'GET uploads': listUploads,
    'POST delete': deleteObjects,
    'GET object-lock': getBucketLock,
    'PUT object-lock': putBucketLock,
    ...bucketSettings,
  },
  object: {
    'PUT ': putObject,
    'GET ': getObject,
    'HEAD ': headObject,
    'DELETE ': deleteObject,
    'GET tagging': getTags,
    'PUT tagging': putTags,
    'DELETE tagging': deleteTags,
    'GET attributes': getAttributes,
    'GET retention': getRetention,
    'PUT retention': putRetention,
    'GET legal-hold': getLegalHold,
    'PUT legal-hold': putLegalHold,
    'POST uploads': createUpload,
    'PUT uploadId': putPart,
    'POST uploadId': completeUpload,
    'DELETE uploadId': abortUpload,
    'GET uploadId': listParts,
  },
};

const copying: ReadonlyMap<Handler, Handler> = new Map([
  [putObject, copyObject],
  [putPart, putPartCopy],
]);

/**
 * Finds what handles a request. A sub-resource that is not known must never fall through to the object or bucket itself:
 * `PUT /bucket/key?acl` would overwrite the object with an ACL document. Throws NotImplemented naming it.
 */
export const route = (request: S3Request): Handler => {
  const level = request.bucket === '' ? 'service' : request.key === '' ? 'bucket' : 'object';
  const names = [...new Set(request.query.keys())].filter((name) => !refinements.has(name) && !/^x-amz-/i.test(name));
  const handler = names.length > 1 ? undefined : tables[level][`${request.method} ${names[0] ?? ''}`];
  if (handler) return request.headers['x-amz-copy-source'] === undefined ? handler : (copying.get(handler) ?? handler);
  const operation = request.query.get('x-id');
  const what = [request.method, `/${[request.bucket && '{bucket}', request.key && '{key}'].filter(Boolean).join('/')}`];
  const query = names.length > 0 ? `?${names.join('&')}` : '';
  const named = operation ? ` (${operation})` : '';
  throw s3Error('NotImplemented', `The laptop S3 does not implement ${what.join(' ')}${query}${named}.`);
};
