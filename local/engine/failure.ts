/**
 * A state failed with an ASL error name. `cause` is what `$states.errorOutput.Cause` shows; AWS leaves it out of time-outs.
 * Retry and Catch look at `error` alone, so the name is a contract and never the name of a JavaScript class.
 */
export class StateFailure extends Error {
  readonly error: string;
  readonly reason: string | undefined;
  constructor(error: string, reason?: string) {
    super(reason === undefined ? error : `${error}: ${reason}`);
    this.name = 'StateFailure';
    this.error = error;
    this.reason = reason;
  }
}

/** A JSONata expression failed; `location` is the field inside the state, such as `Output/url`. */
export class QueryFailure extends StateFailure {
  readonly location: string;
  constructor(reason: string, location: string) {
    super('States.QueryEvaluationError', reason);
    this.location = location;
  }
}

/** The work around this frame is over (stopped, timed out, a sibling failed, the engine closes): write nothing more. */
export class Aborted extends Error {
  constructor() {
    super('the scope of this frame is over');
    this.name = 'Aborted';
  }
}

/** What `$states.errorOutput` holds. */
export const errorOutput = (failure: StateFailure): { Error: string; Cause?: string } =>
  failure.reason === undefined ? { Error: failure.error } : { Error: failure.error, Cause: failure.reason };

/** An error for the log: with its stack, because it is one that nobody expected. */
export const errorText = (error: unknown): string =>
  error instanceof Error ? (error.stack ?? error.message) : String(error);
