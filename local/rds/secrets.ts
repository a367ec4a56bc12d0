import { randomInt } from 'node:crypto';

/** Secrets Manager, as RDS uses it for master users that it manages. */
export interface MasterSecrets {
  /** Keeps a login as JSON {"username","password"} under a name; answers its ARN. */
  keep(name: string, login: { readonly username: string; readonly password: string }): Promise<string>;
  /** Removes a secret for good. One that is gone is fine. */
  remove(arn: string): Promise<void>;
}

const letters = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789!#%*+-.:=?_~';

/** 28 characters of RDS's alphabet, without what a connection URL or a shell would trip over. */
export const generatedPassword = (): string =>
  Array.from({ length: 28 }, () => letters[randomInt(letters.length)]).join('');
