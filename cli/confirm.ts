import { createInterface } from 'node:readline/promises';
import { CommandFailure, exitCodes } from './exit-codes.ts';

/**
 * Resolves once the person has named the tenant whose rows will change: by `--confirm`, or when asked on a terminal.
 * @throws CommandFailure refused, with the command that would do it; nothing was changed.
 */
export const confirm = async (request: {
  readonly given: string | undefined;
  readonly tenantId: string;
  /** What happens, as the end of a sentence. */
  readonly effect: string;
  readonly terminal?: boolean;
}): Promise<void> => {
  const { given, tenantId, effect } = request;
  const terminal = request.terminal ?? (process.stdin.isTTY === true && process.stderr.isTTY === true);
  let name = given;
  if (name === undefined && terminal) {
    const questions = createInterface({ input: process.stdin, output: process.stderr });
    name = (await questions.question(`This ${effect}. Type ${tenantId} to go on: `)).trim();
    questions.close();
  }
  if (name === tenantId) return;
  throw new CommandFailure(
    exitCodes.refused,
    name === undefined
      ? `this ${effect}; give --confirm ${tenantId} to go on, nothing was changed`
      : `--confirm is "${name}", the tenant is "${tenantId}": give the same name, nothing was changed`,
  );
};
