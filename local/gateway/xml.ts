import { XmlShapeSerializer } from '@aws-sdk/core/protocols';
import type { NormalizedSchema } from '@smithy/core/schema';

/** Format 5 is ISO 8601, the default of every XML protocol. */
export const isoDates = { useTrait: true, default: 5 } as const;

const entities: Record<string, string> = { '&': '&amp;', '<': '&lt;', '>': '&gt;', '"': '&quot;', "'": '&apos;' };

export const escapeXml = (text: string): string => text.replace(/[&<>"']/g, (character) => entities[character] ?? '');

/** A structure as one element, named by its schema. */
export const writeXml = (schema: NormalizedSchema, value: unknown, xmlNamespace = ''): string => {
  const settings = { timestampFormat: isoDates, xmlNamespace, serviceNamespace: '' };
  const serializer = new XmlShapeSerializer(settings);
  serializer.write(schema, value);
  return String(serializer.flush()).replace(/^<\?xml[^>]*\?>\s*/, '');
};

/** The children of that element, for protocols that wrap them in an element of their own. */
export const writeXmlMembers = (schema: NormalizedSchema, value: unknown): string => {
  const element = writeXml(schema, value);
  const start = element.indexOf('>') + 1;
  return element.endsWith('/>') && start === element.length ? '' : element.slice(start, element.lastIndexOf('</'));
};

/** The error document of awsQuery and restXml. */
export const writeXmlError = (options: {
  code: string;
  message: string;
  status: number;
  requestId: string;
  members: string;
  xmlNamespace: string;
}): string => {
  const { code, message, status, requestId, members, xmlNamespace } = options;
  const type = status < 500 ? 'Sender' : 'Receiver';
  const error = `<Type>${type}</Type><Code>${escapeXml(code)}</Code><Message>${escapeXml(message)}</Message>${members}`;
  return `<ErrorResponse xmlns="${xmlNamespace}"><Error>${error}</Error><RequestId>${requestId}</RequestId></ErrorResponse>`;
};
