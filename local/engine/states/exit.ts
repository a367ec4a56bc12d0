import { queryScope } from '../context.ts';
import { StateFailure } from '../failure.ts';
import type { Frame, Variables } from '../frame.ts';
import { noVariables } from '../frame.ts';
import { type Payload, payload, tooLarge } from '../payload.ts';
import { evaluate } from '../query.ts';

/** How a state ends: `next` is undefined where it ends its frame. */
export interface Exit {
  readonly output: Payload;
  readonly assign?: Variables;
  readonly next?: string | undefined;
}

interface Fields {
  readonly Output?: unknown;
  readonly Assign?: Readonly<Record<string, unknown>>;
  readonly Next?: string;
}

/** Step Functions quota "Maximum combined size of variables in one Assign": 256 KiB. */
const checkSize = (assigned: Variables, state: string): Variables => {
  if (assigned !== noVariables && tooLarge(JSON.stringify(assigned))) {
    throw new StateFailure('States.DataLimitExceeded', `Assign of the state '${state}' is larger than 262144 bytes.`);
  }
  return assigned;
};

/**
 * Evaluates Assign and Output over the same scope, as AWS does: neither sees what the other made. Without Output the state
 * hands on `result`, or its input where it has none. `path` is the place of the fields inside the state.
 */
export const leaving = async (frame: Frame, fields: Fields, result?: Payload, path = ''): Promise<Exit> => {
  const unchanged = result ?? frame.input;
  if (fields.Output === undefined && fields.Assign === undefined) return { output: unchanged, next: fields.Next };
  const scope = queryScope(frame, result ? { result: result.value } : {});
  const assign = await evaluate(fields.Assign ?? noVariables, scope, `${path}Assign`);
  const output =
    fields.Output === undefined
      ? unchanged
      : payload(await evaluate(fields.Output, scope, `${path}Output`), frame.state);
  return { output, assign: checkSize(assign as Variables, frame.state), next: fields.Next };
};
