import { QueryFailure } from '../failure.ts';
import { evaluate, type QueryScope } from '../query.ts';

/** Promise: the number in a field that may be an expression. Throws QueryFailure when it is not one between `least` and `most`. */
export const numberIn = async (
  template: number | string | undefined,
  scope: QueryScope,
  field: string,
  { least = 0, most = 99_999_999, whole = true } = {},
): Promise<number | undefined> => {
  if (template === undefined) return undefined;
  const value = await evaluate(template, scope, field);
  if (typeof value !== 'number' || (whole && !Number.isInteger(value)) || value < least || value > most) {
    const kind = whole ? 'a whole number' : 'a number';
    throw new QueryFailure(
      `The field '${field}' must be ${kind} from ${least} to ${most}, it is ${JSON.stringify(value)}.`,
      field,
    );
  }
  return value;
};
