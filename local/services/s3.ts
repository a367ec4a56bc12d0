import type { StreamService } from '../gateway/service.ts';
import type { ObjectStore } from '../ports.ts';
import { authenticate, type CredentialLookup } from '../s3/authentication.ts';
import { s3Error } from '../s3/errors.ts';
import { answerError } from '../s3/exchange.ts';
import { openObjectStore } from '../s3/object-store.ts';
import { readRequest, type S3Request } from '../s3/request.ts';
import { route } from '../s3/routes.ts';
import { openStore, type StoreOptions } from '../s3/store.ts';

export interface S3Options extends StoreOptions {
  readonly credentials: CredentialLookup;
}

export interface S3Service extends StreamService {
  /** The same objects for callers inside this process, without HTTP and signatures. */
  readonly objects: ObjectStore;
  close(): Promise<void>;
}

/** A guard of callers against buckets that changed hands; here one account owns all. */
const checkOwner = ({ headers }: S3Request, accountId: string): void => {
  for (const name of ['x-amz-expected-bucket-owner', 'x-amz-source-expected-bucket-owner']) {
    const owner = headers[name];
    if (owner !== undefined && owner !== accountId) {
      throw s3Error('AccessDenied', `${name} is ${owner}, but the bucket belongs to ${accountId}.`);
    }
  }
};

/**
 * S3 on a laptop, path style, kept in `directory`: an acknowledged write survives kill -9 and, with `fsync` (the default),
 * a power cut. Holds a few MB per request whatever the objects' size. Throws when another process uses the directory.
 */
export const createS3Service = ({ credentials, ...options }: S3Options): S3Service => {
  const store = openStore(options);
  return {
    kind: 'stream',
    signingName: 's3',
    objects: openObjectStore(store),
    async handle(message, response, { requestId }) {
      response.setHeader('server', 'AmazonS3');
      response.setHeader('x-amz-request-id', requestId);
      response.setHeader('x-amz-id-2', requestId);
      try {
        const request = readRequest(message, requestId);
        const payload = authenticate(request, credentials, new Date(store.now()));
        checkOwner(request, options.accountId);
        await route(request)({ store, request, payload, response });
      } catch (error) {
        answerError({ message, requestId }, response, error);
      }
    },
    close: () => store.close(),
  };
};
