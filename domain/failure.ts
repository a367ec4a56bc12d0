import * as z from 'zod';

/** What a machine's Catch hands to the compensating step. */
export const failureSchema = z.object({
  /** State that failed. */
  step: z.string(),
  error: z.string(),
  /** The raw Cause: JSON text of a Lambda error or of a nested execution, plain text, cut or empty. */
  cause: z.string().default(''),
});

export type Failure = z.infer<typeof failureSchema>;

/** What compensating steps answer and result events carry. */
export const failedSchema = z.object({
  reason: z.string(),
  failedStep: z.string(),
  error: z.string(),
  /** Outcome of an operation that had committed when its answer was lost: it has not failed, and the machine announces this. */
  stands: z.record(z.string(), z.unknown()).optional(),
});

const causeSchema = z.union([
  z.object({ errorMessage: z.string(), errorType: z.string().optional() }),
  // startExecution.sync:2 fails with the nested execution's description; its Cause holds the next layer.
  z.object({ Cause: z.string().optional(), Error: z.string().optional(), Status: z.string().optional() }),
]);

const parse = (text: string): unknown => {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
};

/** The message in a cause that was cut in the middle (machines keep 8,000 characters) and is no JSON any more. */
const cutMessage = (text: string): string | undefined => {
  const found = /"errorMessage":\s*"((?:[^"\\]|\\.)*)/.exec(text)?.[1];
  return found === undefined ? undefined : String(parse(`"${found}"`) ?? found);
};

const silent: ReadonlyMap<string, string> = new Map(
  Object.entries({
    'States.Timeout': 'it did not answer within its time-out',
    'Sandbox.Timedout': 'its function ran into its time-out',
    'Runtime.ExitError': 'its function ended without an answer',
    'Runtime.OutOfMemory': 'its function ran out of memory',
  }),
);

/** Error name and sentence of the innermost layer. Nesting is as deep as the machines are: three layers, eight are allowed. */
const innermost = (
  { error, cause }: { error: string; cause: string },
  depth = 0,
): { error: string; reason: string } => {
  const json = causeSchema.safeParse(parse(cause));
  if (!json.success) {
    const text = cutMessage(cause) ?? cause.trim();
    return { error, reason: text || silent.get(error) || `it failed with ${error} and said no more` };
  }
  if ('errorMessage' in json.data) {
    const { errorMessage, errorType } = json.data;
    return {
      error: errorType ?? error,
      reason: errorMessage || `it failed with ${errorType ?? error} and said no more`,
    };
  }
  const { Cause = '', Error: name, Status } = json.data;
  if (name === undefined && Cause === '' && Status === undefined) return { error, reason: cause };
  if (Cause === '' && Status === 'ABORTED') return { error: name ?? error, reason: 'the nested execution was stopped' };
  if (Cause === '' && Status === 'TIMED_OUT') return { error: 'States.Timeout', reason: silent.get('States.Timeout')! };
  return depth < 8
    ? innermost({ error: name ?? error, cause: Cause }, depth + 1)
    : { error: name ?? error, reason: Cause };
};

/** One sentence for people out of an ASL error output; total, never empty, at most 2,000 characters. */
export const reasonOf = (failure: { readonly error: string; readonly cause: string }): string =>
  innermost(failure).reason.slice(0, 2_000);

/** A failure as it is recorded and announced: innermost error name, its sentence, the state of the outer machine. */
export const describeFailure = (failure: Failure): z.infer<typeof failedSchema> => ({
  reason: reasonOf(failure),
  failedStep: failure.step,
  error: innermost(failure).error,
});
