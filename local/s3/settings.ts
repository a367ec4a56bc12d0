import { type ErrorCode, s3Error } from './errors.ts';
import { answerEmpty, answerText, type Exchange, type Handler } from './exchange.ts';
import { receiveText } from './payload.ts';
import { tagsOfDocument } from './tags.ts';
import { childNamed, readXml, textOf, writeXml, type XmlElement } from './xml.ts';

interface Setting {
  /** Root element of the document; undefined where it is JSON. */
  readonly root: string | undefined;
  /** What a bucket without the setting answers: an error, or AWS's default document. */
  readonly absent: { readonly error: ErrorCode } | { readonly document: string };
  readonly deletable: boolean;
  readonly putStatus?: 204;
}

const defaults = {
  encryption: writeXml('ServerSideEncryptionConfiguration', {
    Rule: { ApplyServerSideEncryptionByDefault: { SSEAlgorithm: 'AES256' }, BucketKeyEnabled: false },
  }),
  publicAccessBlock: writeXml('PublicAccessBlockConfiguration', {
    BlockPublicAcls: true,
    IgnorePublicAcls: true,
    BlockPublicPolicy: true,
    RestrictPublicBuckets: true,
  }),
  ownershipControls: writeXml('OwnershipControls', { Rule: { ObjectOwnership: 'BucketOwnerEnforced' } }),
};

/**
 * Sub-resources of a bucket that are kept and answered as they were put. Encryption also becomes the default of new
 * objects; none of the others has an effect here. New buckets have AWS's defaults of since April 2023: encrypted, private.
 */
const settings = {
  encryption: {
    root: 'ServerSideEncryptionConfiguration',
    absent: { document: defaults.encryption },
    deletable: true,
  },
  lifecycle: { root: 'LifecycleConfiguration', absent: { error: 'NoSuchLifecycleConfiguration' }, deletable: true },
  policy: { root: undefined, absent: { error: 'NoSuchBucketPolicy' }, deletable: true, putStatus: 204 },
  publicAccessBlock: {
    root: 'PublicAccessBlockConfiguration',
    absent: { document: defaults.publicAccessBlock },
    deletable: true,
  },
  tagging: { root: 'Tagging', absent: { error: 'NoSuchTagSet' }, deletable: true, putStatus: 204 },
  cors: { root: 'CORSConfiguration', absent: { error: 'NoSuchCORSConfiguration' }, deletable: true },
  notification: {
    root: 'NotificationConfiguration',
    absent: { document: writeXml('NotificationConfiguration', {}) },
    deletable: false,
  },
  ownershipControls: {
    root: 'OwnershipControls',
    absent: { document: defaults.ownershipControls },
    deletable: true,
  },
  logging: { root: 'BucketLoggingStatus', absent: { document: writeXml('BucketLoggingStatus', {}) }, deletable: false },
} as const satisfies Record<string, Setting>;

export type SettingName = keyof typeof settings;

export const settingNames = Object.keys(settings) as SettingName[];
export const isDeletable = (name: SettingName): boolean => settings[name].deletable;

const get =
  (name: SettingName): Handler =>
  ({ store, request, response }) => {
    const { root, absent }: Setting = settings[name];
    const body = store.buckets.setting(store.buckets.get(request.bucket), name);
    if (body === undefined && 'error' in absent) throw s3Error(absent.error, undefined, { BucketName: request.bucket });
    const document = body ?? ('document' in absent ? absent.document : '');
    answerText(response, document, root ? 'application/xml' : 'application/json');
  };

/** Throws MalformedXML, MalformedPolicy, or InvalidTag before anything is kept. */
const checkDocument = (name: SettingName, text: string): XmlElement | undefined => {
  const { root }: Setting = settings[name];
  if (root === undefined) {
    try {
      JSON.parse(text);
    } catch {
      throw s3Error('MalformedPolicy');
    }
    return undefined;
  }
  const document = readXml(text);
  if (document.name !== root)
    throw s3Error('MalformedXML', `The root element is ${document.name}; ${root} was expected.`);
  if (name === 'tagging') tagsOfDocument(document, 50);
  return document;
};

const put =
  (name: SettingName): Handler =>
  async (exchange: Exchange) => {
    const { store, request, payload, response } = exchange;
    store.buckets.get(request.bucket);
    const text = await receiveText(request, payload);
    const document = checkDocument(name, text);
    await store.commit(() => {
      const bucket = store.buckets.get(request.bucket);
      store.buckets.putSetting(bucket, name, text);
      if (name !== 'encryption') return;
      const usual = childNamed(childNamed(document, 'Rule'), 'ApplyServerSideEncryptionByDefault');
      const kmsKey = textOf(usual, 'KMSMasterKeyID');
      store.buckets.setEncryption(bucket, {
        algorithm: textOf(usual, 'SSEAlgorithm') ?? 'AES256',
        ...(kmsKey ? { kmsKey } : {}),
      });
    });
    const { putStatus }: Setting = settings[name];
    answerEmpty(response, putStatus ?? 200);
  };

const drop =
  (name: SettingName): Handler =>
  async ({ store, request, response }) => {
    await store.commit(() => {
      const bucket = store.buckets.get(request.bucket);
      store.buckets.dropSetting(bucket, name);
      if (name === 'encryption') store.buckets.setEncryption(bucket, { algorithm: 'AES256' });
    });
    answerEmpty(response, 204);
  };

export const settingHandlers = { get, put, drop };
