import { s3Error } from './errors.ts';
import { answerEmpty, answerXml, type Exchange, receiveXml } from './exchange.ts';
import type { Tags, Version } from './version-rows.ts';
import { childNamed, childrenNamed, textOf, type XmlElement } from './xml.ts';

/** AWS's limits: ten tags (a bucket may have fifty), keys of 1 to 128 and values of up to 256 characters, each key once. */
const checked = (tags: Tags, most = 10): Tags => {
  if (tags.length > most) throw s3Error('InvalidTag', `There are ${tags.length} tags; give ${most} at most.`);
  const seen = new Set<string>();
  for (const [key, value] of tags) {
    if (key.length < 1 || key.length > 128)
      throw s3Error('InvalidTag', `The tag key "${key}" must have 1 to 128 characters.`);
    if (value.length > 256) throw s3Error('InvalidTag', `The value of tag "${key}" has more than 256 characters.`);
    if (seen.has(key)) throw s3Error('InvalidTag', `The tag key "${key}" is given twice.`);
    seen.add(key);
  }
  return tags;
};

/** Tags out of an `x-amz-tagging` header, which is written as a query string. Throws InvalidTag. */
export const tagsOfHeader = (header: string | undefined): Tags =>
  header === undefined ? [] : checked([...new URLSearchParams(header)]);

export const tagsOfDocument = (document: XmlElement, most?: number): Tags => {
  const set = childNamed(document, 'TagSet');
  if (!set) throw s3Error('MalformedXML');
  const tags = childrenNamed(set, 'Tag').map((tag) => [textOf(tag, 'Key') ?? '', textOf(tag, 'Value') ?? ''] as const);
  return checked(tags, most);
};

const taggedVersion = ({ store, request }: Exchange): Version => {
  const bucket = store.buckets.get(request.bucket);
  const version = store.versions.get(bucket, request.key, request.query.get('versionId'));
  if (version.marker) throw s3Error('MethodNotAllowed', 'A delete marker has no tags.');
  return version;
};

const versionHeader = ({ versionId }: Version): Record<string, string> =>
  versionId === 'null' ? {} : { 'x-amz-version-id': versionId };

export const getTags = (exchange: Exchange): void => {
  const version = taggedVersion(exchange);
  const tag = version.tags.map(([Key, Value]) => ({ Key, Value }));
  answerXml(exchange.response, 'Tagging', { TagSet: { Tag: tag } }, versionHeader(version));
};

export const putTags = async (exchange: Exchange): Promise<void> => {
  const tags = tagsOfDocument(await receiveXml(exchange, 'Tagging'));
  const version = await exchange.store.commit(() => {
    const found = taggedVersion(exchange);
    exchange.store.versions.setTags(found, tags);
    return found;
  });
  answerEmpty(exchange.response, 200, versionHeader(version));
};

export const deleteTags = async (exchange: Exchange): Promise<void> => {
  const version = await exchange.store.commit(() => {
    const found = taggedVersion(exchange);
    exchange.store.versions.setTags(found, []);
    return found;
  });
  answerEmpty(exchange.response, 204, versionHeader(version));
};
