import type { Bucket, LockRule } from './bucket-rows.ts';
import { s3Error } from './errors.ts';
import { answerEmpty, answerXml, type Exchange, receiveXml } from './exchange.ts';
import { type Lock, unlocked, type Version } from './version-rows.ts';
import { childNamed, textOf, type XmlElement } from './xml.ts';

type Headers = Readonly<Record<string, string | undefined>>;

const day = 86_400_000;

const needLocking = (bucket: Bucket): void => {
  if (!bucket.objectLock) throw s3Error('InvalidRequest', 'Bucket is missing Object Lock Configuration');
};

const modeOf = (text: string | undefined, field: string): LockRule['mode'] => {
  if (text === 'GOVERNANCE' || text === 'COMPLIANCE') return text;
  throw s3Error('MalformedXML', `${field} is "${text ?? ''}"; give GOVERNANCE or COMPLIANCE.`);
};

const instantOf = (text: string | undefined, field: string, now: number): number => {
  const instant = Date.parse(text ?? '');
  if (Number.isNaN(instant)) throw s3Error('InvalidArgument', `${field} is "${text ?? ''}"; give an ISO 8601 time.`);
  if (instant <= now)
    throw s3Error('InvalidArgument', `${field} is "${text}"; the retain until date must be in the future!`);
  return instant;
};

const ruleEnd = ({ days, years }: LockRule, now: number): number => {
  if (days !== null) return now + days * day;
  const end = new Date(now);
  end.setUTCFullYear(end.getUTCFullYear() + years!);
  return end.getTime();
};

/** The lock that a new version starts with: what its writer asked for, else the bucket's rule, else none. */
export const lockOf = (headers: Headers, bucket: Bucket, now: number): Lock => {
  const mode = headers['x-amz-object-lock-mode'];
  const until = headers['x-amz-object-lock-retain-until-date'];
  const hold = headers['x-amz-object-lock-legal-hold'];
  if (mode ?? until ?? hold) needLocking(bucket);
  const legalHold = hold === 'ON';
  if ((mode === undefined) !== (until === undefined)) {
    throw s3Error(
      'InvalidArgument',
      'x-amz-object-lock-mode and x-amz-object-lock-retain-until-date must be given together.',
    );
  }
  if (mode !== undefined) {
    const end = instantOf(until, 'x-amz-object-lock-retain-until-date', now);
    return { mode: modeOf(mode, 'x-amz-object-lock-mode'), until: end, legalHold };
  }
  const rule = bucket.lockRule;
  return rule ? { mode: rule.mode, until: ruleEnd(rule, now), legalHold } : { ...unlocked, legalHold };
};

export const lockHeaders = ({ mode, until, legalHold }: Lock): Record<string, string> => ({
  ...(mode && until !== null
    ? { 'x-amz-object-lock-mode': mode, 'x-amz-object-lock-retain-until-date': new Date(until).toISOString() }
    : {}),
  ...(legalHold ? { 'x-amz-object-lock-legal-hold': 'ON' } : {}),
});

const bypasses = (headers: Headers): boolean => headers['x-amz-bypass-governance-retention'] === 'true';

/** Refuses to destroy a version under legal hold or within its retention. Throws AccessDenied. */
export const checkRemovable = (version: Version, headers: Headers, now: number): void => {
  const { mode, until, legalHold } = version.lock;
  if (legalHold) throw s3Error('AccessDenied', `Version ${version.versionId} of the object is under legal hold.`);
  if (mode === null || until === null || until <= now || (mode === 'GOVERNANCE' && bypasses(headers))) return;
  const fix = mode === 'GOVERNANCE' ? '; x-amz-bypass-governance-retention: true overrides it' : '';
  throw s3Error(
    'AccessDenied',
    `Version ${version.versionId} of the object is retained in ${mode} mode until ${new Date(until).toISOString()}${fix}.`,
  );
};

const lockedVersion = ({ store, request }: Exchange): { bucket: Bucket; version: Version } => {
  const bucket = store.buckets.get(request.bucket);
  needLocking(bucket);
  const version = store.versions.get(bucket, request.key, request.query.get('versionId'));
  if (version.marker) throw s3Error('MethodNotAllowed');
  return { bucket, version };
};

export const getRetention = (exchange: Exchange): void => {
  const { mode, until } = lockedVersion(exchange).version.lock;
  if (mode === null || until === null) throw s3Error('NoSuchObjectLockConfiguration');
  answerXml(exchange.response, 'Retention', { Mode: mode, RetainUntilDate: new Date(until).toISOString() });
};

/** Retention may always grow; shrinking it is refused in COMPLIANCE and needs the bypass in GOVERNANCE mode. */
export const putRetention = async (exchange: Exchange): Promise<void> => {
  const { store, request, response } = exchange;
  const document = await receiveXml(exchange, 'Retention');
  const now = store.now();
  const lifted = document.children.length === 0;
  const mode = lifted ? null : modeOf(textOf(document, 'Mode'), 'Mode');
  const until = lifted ? null : instantOf(textOf(document, 'RetainUntilDate'), 'RetainUntilDate', now);
  await store.commit(() => {
    const { version } = lockedVersion(exchange);
    const { lock } = version;
    const runs = lock.until !== null && lock.until > now;
    const weaker = until === null || until < (lock.until ?? 0) || (lock.mode === 'COMPLIANCE' && mode !== 'COMPLIANCE');
    const changesMode = lock.mode === 'GOVERNANCE' && mode !== lock.mode;
    if (runs && (weaker || changesMode))
      checkRemovable({ ...version, lock: { ...lock, legalHold: false } }, request.headers, now);
    store.versions.setLock(version, { ...lock, mode, until });
  });
  answerEmpty(response);
};

export const getLegalHold = (exchange: Exchange): void => {
  const { version } = lockedVersion(exchange);
  answerXml(exchange.response, 'LegalHold', { Status: version.lock.legalHold ? 'ON' : 'OFF' });
};

export const putLegalHold = async (exchange: Exchange): Promise<void> => {
  const status = textOf(await receiveXml(exchange, 'LegalHold'), 'Status');
  if (status !== 'ON' && status !== 'OFF')
    throw s3Error('MalformedXML', `Status is "${status ?? ''}"; give ON or OFF.`);
  await exchange.store.commit(() => {
    const { version } = lockedVersion(exchange);
    exchange.store.versions.setLock(version, { ...version.lock, legalHold: status === 'ON' });
  });
  answerEmpty(exchange.response);
};

export const getBucketLock = ({ store, request, response }: Exchange): void => {
  const bucket = store.buckets.get(request.bucket);
  if (!bucket.objectLock) throw s3Error('ObjectLockConfigurationNotFoundError', undefined, { BucketName: bucket.name });
  const rule = bucket.lockRule;
  const retention = rule && { Mode: rule.mode, Days: rule.days ?? undefined, Years: rule.years ?? undefined };
  answerXml(response, 'ObjectLockConfiguration', {
    ObjectLockEnabled: 'Enabled',
    Rule: retention && { DefaultRetention: retention },
  });
};

const countOf = (parent: XmlElement, name: string): number | null => {
  const text = textOf(parent, name);
  if (text === undefined) return null;
  const count = Number(text);
  if (!Number.isInteger(count) || count < 1) throw s3Error('InvalidArgument', `${name} is "${text}"; give 1 or more.`);
  return count;
};

export const putBucketLock = async (exchange: Exchange): Promise<void> => {
  const { store, request, response } = exchange;
  const document = await receiveXml(exchange, 'ObjectLockConfiguration');
  const retention = childNamed(childNamed(document, 'Rule'), 'DefaultRetention');
  const rule = retention && {
    mode: modeOf(textOf(retention, 'Mode'), 'Mode'),
    days: countOf(retention, 'Days'),
    years: countOf(retention, 'Years'),
  };
  if (textOf(document, 'ObjectLockEnabled') !== 'Enabled' || (rule && (rule.days === null) === (rule.years === null))) {
    throw s3Error('MalformedXML', 'Give ObjectLockEnabled Enabled and, in a rule, either Days or Years.');
  }
  await store.commit(() => {
    const bucket = store.buckets.get(request.bucket);
    if (bucket.versioning !== 'Enabled') {
      throw s3Error(
        'InvalidBucketState',
        "Versioning must be 'Enabled' on the bucket to apply a Object Lock configuration",
      );
    }
    store.buckets.setLock(bucket, rule);
  });
  answerEmpty(response);
};
