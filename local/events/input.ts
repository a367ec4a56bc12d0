import type { Target } from '@aws-sdk/client-eventbridge';
import { ServiceError } from '../gateway/service.ts';
import type { EventEnvelope } from './envelope.ts';
import { compilePath } from './paths.ts';

export interface InputContext {
  readonly ruleArn: string;
  readonly ruleName: string;
  /** When the bus got the event, ISO 8601. */
  readonly ingestionTime: string;
}

/** Makes the payload of one target from an event. Throws an Error when a template does not become JSON. */
export type RenderInput = (event: EventEnvelope, context: InputContext) => string;

type InputTarget = Pick<Target, 'Id' | 'Input' | 'InputPath' | 'InputTransformer'>;

const refuse = (message: string): never => {
  throw new ServiceError('ValidationException', message, { status: 400 });
};

/** `<aws.events.event>` is the event without its detail, `<aws.events.event.json>` the whole. EventBridge user guide. */
const reserved: Readonly<Record<string, (event: EventEnvelope, context: InputContext) => unknown>> = {
  'aws.events.rule-arn': (_event, { ruleArn }) => ruleArn,
  'aws.events.rule-name': (_event, { ruleName }) => ruleName,
  'aws.events.event.ingestion-time': (_event, { ingestionTime }) => ingestionTime,
  'aws.events.event': ({ detail: _detail, ...rest }) => rest,
  'aws.events.event.json': (event) => event,
};

interface Piece {
  readonly text: string;
  /** Name of the variable that follows the text. */
  readonly variable?: string;
  /** The variable stands inside a quoted string of the template. */
  readonly quoted?: boolean;
}

const variablePattern = /<([\w.-]+)>/g;

/** Cuts a template at its variables and notes which of them stand between quotes. */
const piecesOf = (template: string): Piece[] => {
  const pieces: Piece[] = [];
  let from = 0;
  let quoted = false;
  for (const found of template.matchAll(variablePattern)) {
    const text = template.slice(from, found.index);
    for (const [mark] of text.matchAll(/\\.|"/g)) if (mark === '"') quoted = !quoted;
    pieces.push({ text, variable: found[1]!, quoted });
    from = found.index + found[0].length;
  }
  pieces.push({ text: template.slice(from) });
  return pieces;
};

/**
 * Between quotes: text as it is, escaped so that the string stays one; objects and lists without their quotation marks;
 * nothing for what is missing. Elsewhere: the value as JSON. EventBridge user guide, "Input transformation", and the
 * answers recorded there for missing variables.
 */
const insert = (value: unknown, quoted: boolean, isJson: boolean): string => {
  if (!quoted)
    return value === undefined
      ? isJson
        ? '""'
        : ''
      : isJson || typeof value !== 'string'
        ? JSON.stringify(value)
        : value;
  if (value === undefined) return '';
  if (typeof value === 'string') return JSON.stringify(value).slice(1, -1);
  return JSON.stringify(value).replaceAll('"', '').replaceAll('\\', '\\\\');
};

const compileTransformer = (id: string, transformer: NonNullable<Target['InputTransformer']>): RenderInput => {
  const { InputPathsMap = {}, InputTemplate } = transformer;
  if (!InputTemplate) return refuse(`InputTemplate of target ${id} must not be empty.`);
  if (InputTemplate.length > 8192) refuse(`InputTemplate of target ${id} has more than 8192 characters.`);
  const names = Object.keys(InputPathsMap);
  if (names.length > 100) refuse(`InputPathsMap of target ${id} has more than 100 entries.`);
  const paths = new Map(
    names.map((name) => {
      if (name.toLowerCase().startsWith('aws.'))
        refuse(`InputPathsMap of target ${id} names "${name}"; names that begin with aws. are reserved.`);
      return [name, compilePath(InputPathsMap[name]!, `InputPathsMap.${name} of target ${id}`)] as const;
    }),
  );
  const pieces = piecesOf(InputTemplate);
  for (const { variable } of pieces)
    if (variable !== undefined && !paths.has(variable) && !Object.hasOwn(reserved, variable))
      refuse(
        `Invalid InputTemplate of target ${id}: <${variable}> is neither in InputPathsMap nor one of <${Object.keys(reserved).join('>, <')}>.`,
      );
  const isJson = /^\s*[{["]/.test(InputTemplate);
  const isObject = /^\s*[{[]/.test(InputTemplate);
  return (event, context) => {
    const text = pieces
      .map(({ text: literal, variable, quoted = false }) => {
        if (variable === undefined) return literal;
        const value = paths.has(variable) ? paths.get(variable)!(event) : reserved[variable]!(event, context);
        return literal + insert(value, quoted, isJson);
      })
      .join('');
    // A template of strings, one a line, is no single JSON value; an object or list has to be one.
    if (!isObject) return text;
    try {
      return JSON.stringify(JSON.parse(text));
    } catch (error) {
      throw new Error(`InputTemplate of target ${id} does not become JSON: ${(error as Error).message}`);
    }
  };
};

/** Compiles how a target wants its input; at most one of the three ways. Throws ValidationException naming the field. */
export const compileInput = ({ Id = '', Input, InputPath, InputTransformer }: InputTarget): RenderInput => {
  const given = [Input, InputPath, InputTransformer].filter((way) => way !== undefined);
  if (given.length > 1) refuse(`Only one of Input, InputPath, or InputTransformer must be provided for target ${Id}.`);
  if (InputTransformer !== undefined) return compileTransformer(Id, InputTransformer);
  if (InputPath !== undefined) {
    const path = compilePath(InputPath, `InputPath of target ${Id}`);
    return (event) => JSON.stringify(path(event) ?? null);
  }
  if (Input === undefined) return (event) => JSON.stringify(event);
  try {
    JSON.parse(Input);
  } catch {
    refuse(`Input of target ${Id} must be valid JSON text.`);
  }
  return () => Input;
};
