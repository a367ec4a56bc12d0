import { text } from 'node:stream/consumers';
import { ServiceError } from '../gateway/service.ts';
import type { CloudFormationContext } from './context.ts';
import { invalid } from './refusals.ts';
import { templateQuotas } from './template.ts';

export interface TemplateSource {
  readonly TemplateBody?: string | undefined;
  readonly TemplateURL?: string | undefined;
}

/** Bucket and key of an address of S3: virtual-hosted, path style of AWS, or path style of the laptop's gateway. */
const placeOf = (url: string): { readonly bucket: string; readonly key: string } => {
  const { hostname, pathname } = URL.parse(url) ?? { hostname: '', pathname: '' };
  const path = decodeURIComponent(pathname.slice(1));
  const hosted = /^(.+)\.s3[.-][\w.-]*amazonaws\.com$/.exec(hostname) ?? /^(.+)\.s3\.amazonaws\.com$/.exec(hostname);
  if (hosted) return { bucket: hosted[1]!, key: path };
  const slash = path.indexOf('/');
  if (hostname === '' || slash < 1) throw invalid(`TemplateURL must be a supported URL. It is "${url}".`);
  return { bucket: path.slice(0, slash), key: path.slice(slash + 1) };
};

const read = async ({ objects }: CloudFormationContext, url: string): Promise<string> => {
  const { bucket, key } = placeOf(url);
  try {
    return await text(await objects.get(bucket, key));
  } catch (error) {
    if (error instanceof ServiceError) throw invalid(`S3 error: ${error.message} (TemplateURL ${url})`);
    throw error;
  }
};

const within = (template: string, most: number, what: string): string => {
  const bytes = Buffer.byteLength(template);
  if (bytes <= most) return template;
  throw invalid(`${what} has ${bytes} bytes; CloudFormation takes ${most} at most.`);
};

/** The text of a template, from the call or from the S3 beside. */
export const templateOf = async (context: CloudFormationContext, source: TemplateSource): Promise<string> => {
  const { TemplateBody, TemplateURL } = source;
  if ((TemplateBody === undefined) === (TemplateURL === undefined))
    throw invalid('Either Template URL or Template Body must be specified.');
  if (TemplateBody !== undefined) return within(TemplateBody, templateQuotas.body, 'TemplateBody');
  return within(await read(context, TemplateURL!), templateQuotas.url, `The template at ${TemplateURL}`);
};
