import { queryScope } from '../context.ts';
import type { ChoiceState } from '../definition.ts';
import { QueryFailure, StateFailure } from '../failure.ts';
import type { Frame } from '../frame.ts';
import { evaluate } from '../query.ts';
import { type Exit, leaving } from './exit.ts';

/**
 * The first rule whose Condition is true decides. A rule brings its own Assign and Output; those of the state itself belong to
 * Default (ASL specification, "Choice State"). Throws States.NoChoiceMatched where no rule holds and there is no Default.
 */
export const runChoice = async (frame: Frame, state: ChoiceState): Promise<Exit> => {
  const scope = queryScope(frame);
  for (const [index, rule] of state.Choices.entries()) {
    const location = `Choices/${index}/Condition`;
    const holds = await evaluate(rule.Condition, scope, location);
    if (typeof holds !== 'boolean') {
      throw new QueryFailure(
        `The field '${location}' must be true or false, it is ${JSON.stringify(holds)}.`,
        location,
      );
    }
    if (holds) return leaving(frame, rule, undefined, `Choices/${index}/`);
  }
  if (state.Default === undefined) {
    throw new StateFailure(
      'States.NoChoiceMatched',
      `No rule of the Choice state '${frame.state}' holds and it has no Default.`,
    );
  }
  return leaving(frame, { ...state, Next: state.Default });
};
