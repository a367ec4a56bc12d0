import { ServiceError } from '../gateway/service.ts';

export type ResourceKind = 'db' | 'snapshot' | 'pg';

export interface Account {
  readonly region: string;
  readonly accountId: string;
}

export const arnOf = ({ region, accountId }: Account, kind: ResourceKind, name: string): string =>
  `arn:aws:rds:${region}:${accountId}:${kind}:${name}`;

export const invalidValue = (message: string): ServiceError => new ServiceError('InvalidParameterValue', message);
export const invalidCombination = (message: string): ServiceError =>
  new ServiceError('InvalidParameterCombination', message);
export const missing = (member: string): ServiceError =>
  new ServiceError('MissingParameter', `The parameter ${member} must be provided and must not be blank.`);

/**
 * A name as RDS stores it, in lower case. Rule of CreateDBInstance and CreateDBSnapshot: 1 to 63 (255 for snapshots) letters,
 * digits and hyphens, a letter first, no hyphen at the end and no two in a row.
 */
export const identifierOf = (member: string, given: string | undefined, longest = 63): string => {
  if (!given) throw missing(member);
  if (given.length <= longest && /^[a-z](-?[a-z0-9])*$/i.test(given)) return given.toLowerCase();
  throw invalidValue(
    `The parameter ${member} is not a valid identifier. Identifiers must begin with a letter; must contain only ASCII letters, digits, and hyphens; and must not end with a hyphen or contain two consecutive hyphens: "${given}" is not of that form or longer than ${longest}.`,
  );
};

/** RDS for PostgreSQL: 1 to 63 letters, digits and underscores, a letter first; names that the engine keeps for itself are refused. */
export const masterUsernameOf = (given: string | undefined): string => {
  if (!given) throw missing('MasterUsername');
  if (!/^[a-z]\w{0,62}$/i.test(given))
    throw invalidValue(
      `The parameter MasterUsername is not valid: "${given}" must be 1 to 63 letters, digits and underscores, a letter first.`,
    );
  if (/^(rdsadmin|rds_|pg_|admin$|public$|user$)/i.test(given))
    throw invalidValue(`MasterUsername ${given} cannot be used as it is a reserved word used by the engine`);
  return given;
};

/** RDS for PostgreSQL: 8 to 128 printable ASCII characters without slash, double quote, at sign and space. */
export const masterPasswordOf = (given: string): string => {
  if (/^[!-~]{8,128}$/.test(given) && !/[/"@]/.test(given)) return given;
  throw invalidValue(
    `The parameter MasterUserPassword is not a valid password. It has ${given.length} characters; use 8 to 128 printable ASCII characters besides '/', '@', '"', ' '.`,
  );
};
