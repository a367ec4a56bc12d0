/** What a script can rely on (docs/runbook.md, "Exit codes"). */
export const exitCodes = {
  ok: 0,
  executionFailed: 1,
  usage: 2,
  forbidden: 3,
  notFound: 4,
  conflict: 5,
  waitTimedOut: 6,
  refused: 7,
  awaitingApproval: 8,
  interrupted: 130,
} as const;

export type ExitCode = (typeof exitCodes)[keyof typeof exitCodes];

/** An end that the user caused or must know: printed as one line, without a stack, with its exit code. */
export class CommandFailure extends Error {
  readonly exitCode: ExitCode;
  constructor(exitCode: ExitCode, message: string) {
    super(message);
    this.exitCode = exitCode;
  }
}

/** The cloud is not there or does not answer; it may come back. */
export class Unreachable extends CommandFailure {}
