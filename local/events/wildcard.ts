/** Why a pattern is refused; `compilePattern` puts the field's path in front. */
export type Refuse = (reason: string) => never;

const TOO_COMPLEX =
  'Rule is too complex - try using fewer wildcard characters or fewer repeating character sequences after a wildcard character';

/** Text between the stars, escapes (`\*`, `\\`) resolved. */
const literals = (pattern: string, refuse: Refuse): string[] => {
  const found = [''];
  for (let index = 0; index < pattern.length; index += 1) {
    const character = pattern[index]!;
    if (character === '*') {
      if (pattern[index + 1] === '*') refuse(`Consecutive wildcard characters at pos ${index} in "${pattern}"`);
      found.push('');
      continue;
    }
    if (character === '\\') {
      index += 1;
      if (pattern[index] !== '*' && pattern[index] !== '\\')
        refuse(`Invalid escape character at pos ${index - 1} in "${pattern}"`);
    }
    found.push(`${found.pop() ?? ''}${pattern[index]}`);
  }
  return found;
};

/**
 * AWS bounds the states its matcher needs. Measured against its recorded answers: six stars, or three and more with
 * one character or none between two of them, are refused.
 */
const isTooComplex = (parts: readonly string[]): boolean =>
  parts.length > 6 || (parts.length > 3 && parts.slice(1, -1).some((part) => part.length <= 1));

/** Compiles `wildcard`: `*` stands for any text, also none. Linear in the text: no backtracking. */
export const compileWildcard = (pattern: unknown, refuse: Refuse): ((text: string) => boolean) => {
  if (typeof pattern !== 'string') return refuse('wildcard match pattern must be a string');
  const parts = literals(pattern, refuse);
  if (isTooComplex(parts)) refuse(TOO_COMPLEX);
  const [head = '', ...rest] = parts;
  const tail = rest.pop();
  if (tail === undefined) return (text) => text === head;
  return (text) => {
    if (!text.startsWith(head)) return false;
    let from = head.length;
    for (const part of rest) {
      const at = text.indexOf(part, from);
      if (at < 0) return false;
      from = at + part.length;
    }
    return text.length - tail.length >= from && text.endsWith(tail);
  };
};
