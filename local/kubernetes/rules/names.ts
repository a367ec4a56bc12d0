import type { Kind } from '../kinds.ts';
import type { KubeObject } from '../object.ts';
import type { FieldError } from '../status.ts';

const label = /^[a-z0-9]([-a-z0-9]*[a-z0-9])?$/;
const subdomain = /^[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*$/;
const serviceName = /^[a-z]([-a-z0-9]*[a-z0-9])?$/;
const qualifiedPart = /^([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]$/;
const labelValue = /^(([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9])?$/;
const pathSegment = /^(?!\.{1,2}$)[^/%]+$/;

const words = {
  label: `a lowercase RFC 1123 label must consist of lower case alphanumeric characters or '-', and must start and end with an alphanumeric character (e.g. 'my-name',  or '123-abc', regex used for validation is '[a-z0-9]([-a-z0-9]*[a-z0-9])?')`,
  subdomain: `a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '-' or '.', and must start and end with an alphanumeric character (e.g. 'example.com', regex used for validation is '[a-z0-9]([-a-z0-9]*[a-z0-9])?(\\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*')`,
  service: `a DNS-1035 label must consist of lower case alphanumeric characters or '-', start with an alphabetic character, and end with an alphanumeric character (e.g. 'my-name',  or 'abc-123', regex used for validation is '[a-z]([-a-z0-9]*[a-z0-9])?')`,
  qualified: `name part must consist of alphanumeric characters, '-', '_' or '.', and must start and end with an alphanumeric character (e.g. 'MyName',  or 'my.name',  or '123-abc', regex used for validation is '([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]')`,
  value: `a valid label must be an empty string or consist of alphanumeric characters, '-', '_' or '.', and must start and end with an alphanumeric character (e.g. 'MyValue',  or 'my_value',  or '12345', regex used for validation is '(([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9])?')`,
};

const fault = (field: string, value: unknown, why: string): FieldError => ({
  field,
  reason: 'FieldValueInvalid',
  message: `Invalid value: ${JSON.stringify(value)}: ${why}`,
});

interface NameRule {
  readonly pattern: RegExp;
  readonly most: number;
  readonly words: string;
}

const nameRule = ({ kind, group }: Kind): NameRule => {
  if (group === 'rbac.authorization.k8s.io') {
    return { pattern: pathSegment, most: 253, words: `may not be '.' or '..' and may not contain '/' or '%'` };
  }
  if (kind === 'Namespace') return { pattern: label, most: 63, words: words.label };
  if (kind === 'Service') return { pattern: serviceName, most: 63, words: words.service };
  return { pattern: subdomain, most: kind === 'CronJob' ? 52 : 253, words: words.subdomain };
};

const checkName = (kind: Kind, name: string): FieldError[] => {
  const rule = nameRule(kind);
  return [
    ...(rule.pattern.test(name) ? [] : [fault('metadata.name', name, rule.words)]),
    ...(name.length > rule.most ? [fault('metadata.name', name, `must be no more than ${rule.most} characters`)] : []),
  ];
};

/** Faults of a map of labels at `field`. */
export const checkLabels = (labels: Readonly<Record<string, unknown>> | undefined, field: string): FieldError[] =>
  Object.entries(labels ?? {}).flatMap(([key, value]) => {
    const name = key.slice(key.lastIndexOf('/') + 1);
    const prefix = key.includes('/') ? key.slice(0, key.lastIndexOf('/')) : undefined;
    return [
      ...(qualifiedPart.test(name) ? [] : [fault(field, key, words.qualified)]),
      ...(name.length > 63 ? [fault(field, key, 'name part must be no more than 63 characters')] : []),
      ...(prefix === undefined || subdomain.test(prefix) ? [] : [fault(field, key, `prefix part ${words.subdomain}`)]),
      ...(labelValue.test(String(value)) ? [] : [fault(field, value, words.value)]),
      ...(String(value).length > 63 ? [fault(field, value, 'must be no more than 63 characters')] : []),
    ];
  });

const mostAnnotationBytes = 256 * 1024;

const checkAnnotations = (annotations: Readonly<Record<string, string>> | undefined): FieldError[] => {
  const bytes = Object.entries(annotations ?? {}).reduce((sum, [key, value]) => sum + key.length + value.length, 0);
  if (bytes <= mostAnnotationBytes) return [];
  const message = `Too long: may not be more than ${mostAnnotationBytes} bytes`;
  return [{ field: 'metadata.annotations', reason: 'FieldValueInvalid', message }];
};

/** Name, labels and annotations. Source: k8s.io/apimachinery pkg/api/validation/objectmeta.go. */
export const checkMetadata = (kind: Kind, { metadata }: KubeObject): FieldError[] => [
  ...(metadata.name
    ? checkName(kind, metadata.name)
    : [
        {
          field: 'metadata.name',
          reason: 'FieldValueRequired' as const,
          message: 'Required value: name or generateName is required',
        },
      ]),
  ...checkLabels(metadata.labels, 'metadata.labels'),
  ...checkAnnotations(metadata.annotations),
];

export const isLabel = (text: string): boolean => label.test(text) && text.length <= 63;
export const labelWords = words.label;
