import { randomUUID } from 'node:crypto';
import type { BusEntry } from '../ports.ts';

/** An event as rules see it and targets get it. */
export interface EventEnvelope {
  readonly version: '0';
  readonly id: string;
  readonly 'detail-type': string;
  readonly source: string;
  readonly account: string;
  readonly time: string;
  readonly region: string;
  readonly resources: readonly string[];
  readonly detail: unknown;
}

export interface EntryFault {
  readonly ErrorCode: string;
  readonly ErrorMessage: string;
}

/** Bytes of the entries of one PutEvents together. EventBridge user guide, "PutEvents entry size". */
export const REQUEST_BYTES = 256 * 1024;

/** Deeper JSON would overflow the stack of whoever walks it; nothing a person writes comes near. */
const DEEPEST = 500;

/** Time counts 14 bytes where it is given; the rest in UTF-8. EventBridge user guide, "PutEvents entry size". */
export const entryBytes = ({ Time, Source = '', DetailType = '', Detail = '', Resources = [] }: BusEntry): number =>
  (Time === undefined ? 0 : 14) +
  [Source, DetailType, Detail, ...Resources].reduce((sum, text) => sum + Buffer.byteLength(text), 0);

/** Whole seconds, as EventBridge writes times. */
export const eventTime = (milliseconds: number): string => `${new Date(milliseconds).toISOString().slice(0, 19)}Z`;

const isTooDeep = (text: string): boolean => {
  let depth = 0;
  let inText = false;
  for (let index = 0; index < text.length; index += 1) {
    const character = text[index];
    if (character === '\\') index += 1;
    else if (character === '"') inText = !inText;
    else if (inText) continue;
    else if (character === '{' || character === '[') depth += 1;
    else if (character === '}' || character === ']') depth -= 1;
    if (depth > DEEPEST) return true;
  }
  return false;
};

const parsedDetail = (text: string): Record<string, unknown> | undefined => {
  if (isTooDeep(text)) return undefined;
  try {
    const detail: unknown = JSON.parse(text);
    return detail !== null && typeof detail === 'object' && !Array.isArray(detail) ? { ...detail } : undefined;
  } catch {
    return undefined;
  }
};

/** Makes the envelope of one PutEvents entry, or says in AWS's words what is wrong with it. */
export const envelopeOf = (
  entry: BusEntry,
  { now, account, region }: { now: number; account: string; region: string },
): EventEnvelope | EntryFault => {
  for (const field of ['Source', 'DetailType', 'Detail'] as const)
    if (!entry[field])
      return {
        ErrorCode: 'InvalidArgument',
        ErrorMessage: `Parameter ${field} is not valid. Reason: ${field} is a required argument.`,
      };
  const { Source = '', DetailType = '', Detail = '', Resources = [], Time } = entry;
  if (Source.startsWith('aws.'))
    return {
      ErrorCode: 'NotAuthorizedForSourceException',
      ErrorMessage: `Not authorized for the source. Source "${Source}" begins with aws., which only AWS services use.`,
    };
  const detail = parsedDetail(Detail);
  if (detail === undefined)
    return { ErrorCode: 'MalformedDetail', ErrorMessage: 'Detail is malformed. It must be the text of a JSON object.' };
  const time = Time === undefined ? now : Number(Time);
  if (!Number.isFinite(time))
    return { ErrorCode: 'InvalidArgument', ErrorMessage: 'Parameter Time is not valid. Reason: it is no time.' };
  return {
    version: '0',
    id: randomUUID(),
    'detail-type': DetailType,
    source: Source,
    account,
    time: eventTime(time),
    region,
    resources: Resources,
    detail,
  };
};

export const isFault = (outcome: EventEnvelope | EntryFault): outcome is EntryFault => 'ErrorCode' in outcome;
