/** PostgreSQL's NAMEDATALEN - 1: a longer name is cut silently, so two names could meet in one object. */
const longestName = 63;

/**
 * One quoted SQL identifier, whatever the text is: the only way a name may enter SQL.
 * Throws RangeError for the names that PostgreSQL has no spelling for: empty, longer than 63 bytes, or with a zero byte.
 */
export const ident = (name: string): string => {
  if (name === '' || name.includes('\0') || Buffer.byteLength(name) > longestName)
    throw new RangeError(
      `SQL identifier ${JSON.stringify(name)} must have 1 to ${longestName} bytes and no zero byte; pick a shorter name`,
    );
  return `"${name.replaceAll('"', '""')}"`;
};

/** A schema-qualified name from its two parts. */
export const qualified = (schema: string, name: string): string => `${ident(schema)}.${ident(name)}`;

/** `schema.table` as the catalog reports it (first dot parts them) in quoted form; throws RangeError without a dot. */
export const identPath = (path: string): string => {
  const dot = path.indexOf('.');
  if (dot < 1) throw new RangeError(`SQL path ${JSON.stringify(path)} must look like schema.table`);
  return qualified(path.slice(0, dot), path.slice(dot + 1));
};

/** A quoted string literal, for the few statements that take no parameters (CREATE ROLE ... PASSWORD). */
export const literal = (text: string): string => {
  if (text.includes('\0')) throw new RangeError('SQL literal must have no zero byte');
  const quoted = `'${text.replaceAll("'", "''").replaceAll('\\', '\\\\')}'`;
  return text.includes('\\') ? ` E${quoted}` : quoted;
};
