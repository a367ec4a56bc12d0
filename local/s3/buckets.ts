import { s3Error } from './errors.ts';
import { answerEmpty, answerXml, type Exchange, receiveXml } from './exchange.ts';
import { receiveText } from './payload.ts';
import { integerOf } from './request.ts';
import { readXml, textOf } from './xml.ts';

/** AWS's naming rules for general purpose buckets, those that a typo breaks. */
const nameRule = /^(?!\d+\.\d+\.\d+\.\d+$)(?!xn--|sthree-)[a-z0-9](?!.*\.\.)[a-z0-9.-]{1,61}[a-z0-9]$/;

export const iso = (milliseconds: number): string => new Date(milliseconds).toISOString();

export const listBuckets = ({ store, request, response }: Exchange): void => {
  const max = integerOf(request, 'max-buckets', { least: 1, most: 10_000, usual: 10_000 });
  const prefix = request.query.get('prefix') ?? '';
  const token = Buffer.from(request.query.get('continuation-token') ?? '', 'base64url').toString();
  const from = token > prefix ? token : prefix;
  const found = store.buckets.list(from, max + 1).filter(({ name }) => name.startsWith(prefix));
  answerXml(response, 'ListAllMyBucketsResult', {
    Buckets: {
      Bucket: found
        .slice(0, max)
        .map(({ name, created, region }) => ({ Name: name, CreationDate: iso(created), BucketRegion: region })),
    },
    Owner: { ID: store.accountId },
    ContinuationToken: found[max] && Buffer.from(found[max].name).toString('base64url'),
    Prefix: prefix || undefined,
  });
};

export const createBucket = async ({ store, request, payload, response }: Exchange): Promise<void> => {
  const { bucket: name, headers } = request;
  if (!nameRule.test(name)) {
    throw s3Error('InvalidBucketName', `The bucket name "${name}" is not 3 to 63 of a-z, 0-9, "-" and ".".`, {
      BucketName: name,
    });
  }
  const text = await receiveText(request, payload);
  const region = (text ? textOf(readXml(text), 'LocationConstraint') : undefined) || store.region;
  const objectLock = headers['x-amz-bucket-object-lock-enabled'] === 'true';
  await store.commit(() => store.buckets.add(name, region, store.now(), objectLock));
  answerEmpty(response, 200, { location: `/${name}` });
};

export const headBucket = ({ store, request, response }: Exchange): void => {
  const { region } = store.buckets.get(request.bucket);
  answerEmpty(response, 200, { 'x-amz-bucket-region': region });
};

export const deleteBucket = async ({ store, request, response }: Exchange): Promise<void> => {
  await store.commit((garbage) => {
    const bucket = store.buckets.get(request.bucket);
    store.buckets.remove(bucket);
    store.uploads.removeAll(bucket, garbage);
  });
  answerEmpty(response, 204);
};

/** us-east-1 is told as an empty element, as it always was. */
export const getLocation = ({ store, request, response }: Exchange): void => {
  const { region } = store.buckets.get(request.bucket);
  answerXml(response, 'LocationConstraint', region === 'us-east-1' ? '' : region);
};

export const getVersioning = ({ store, request, response }: Exchange): void => {
  const { versioning } = store.buckets.get(request.bucket);
  answerXml(response, 'VersioningConfiguration', { Status: versioning ?? undefined });
};

/** Throws InvalidBucketState: a bucket with Object Lock cannot suspend the versions that the locks are on. */
export const putVersioning = async (exchange: Exchange): Promise<void> => {
  const { store, request, response } = exchange;
  const document = await receiveXml(exchange, 'VersioningConfiguration');
  const status = textOf(document, 'Status');
  if (status !== 'Enabled' && status !== 'Suspended') {
    throw s3Error('MalformedXML', `Status is "${status ?? ''}"; give Enabled or Suspended.`);
  }
  if (textOf(document, 'MfaDelete') === 'Enabled') throw s3Error('NotImplemented', 'MFA delete is not implemented.');
  await store.commit(() => {
    const bucket = store.buckets.get(request.bucket);
    if (bucket.objectLock && status === 'Suspended') {
      throw s3Error(
        'InvalidBucketState',
        'An Object Lock configuration is present on this bucket, so versioning cannot be suspended.',
      );
    }
    store.buckets.setVersioning(bucket, status);
  });
  answerEmpty(response);
};
