import { ServiceError } from '../gateway/service.ts';
import { payloadLimit, tooLarge } from './payload.ts';

/** What the API refuses in names (StartExecution and CreateStateMachine, "name"). Control characters are meant to be here. */
// biome-ignore lint/suspicious/noControlCharactersInRegex: the rule names them
const forbidden = /[\s<>{}[\]?*"#%\\^|~`$&,;:/\u0000-\u001f\u007f-\u009f]/u;

const checkName = (name: string, what: string): void => {
  const match = forbidden.exec(name);
  if (name.length < 1 || name.length > 80) {
    throw new ServiceError(
      'InvalidName',
      `Invalid Name: '${name}': ${what} has ${name.length} characters, 1 to 80 are allowed`,
    );
  }
  if (match) {
    throw new ServiceError(
      'InvalidName',
      `Invalid Name: '${name}': ${what} holds ${JSON.stringify(match[0])}; use letters, digits, '-', '_', '.', '+', '=', '@', '(' or ')'`,
    );
  }
};

/** Throws InvalidName. */
export const checkExecutionName = (name: string): void => checkName(name, 'the execution name');

/** Throws InvalidName. */
export const checkMachineName = (name: string): void => checkName(name, 'the state machine name');

/** Throws InvalidExecutionInput where `input` is not JSON or larger than 256 KiB. */
export const checkInput = (input: string): void => {
  if (tooLarge(input)) {
    throw new ServiceError(
      'InvalidExecutionInput',
      `Invalid State Machine Execution Input: '${Buffer.byteLength(input)} bytes, at most ${payloadLimit} are allowed; pass a pointer to the data'`,
    );
  }
  try {
    JSON.parse(input);
  } catch (error) {
    throw new ServiceError(
      'InvalidExecutionInput',
      `Invalid State Machine Execution Input: '${error instanceof Error ? error.message : String(error)}'`,
    );
  }
};

/** An opaque place in a list. */
export const pageToken = (place: string | number): string =>
  Buffer.from(JSON.stringify({ place })).toString('base64url');

/** The place in a token that `pageToken` made. Throws InvalidToken. */
export const placeOf = (token: string | undefined): string | number | undefined => {
  if (token === undefined) return undefined;
  try {
    const { place } = JSON.parse(Buffer.from(token, 'base64url').toString()) as { place: unknown };
    if (typeof place === 'string' || typeof place === 'number') return place;
  } catch {
    // Falls through to the refusal.
  }
  throw new ServiceError('InvalidToken', `Invalid Token: '${token}' is not the nextToken of an earlier answer`);
};
