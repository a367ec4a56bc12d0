import { GetSecretValueCommand, type SecretsManagerClient } from '@aws-sdk/client-secrets-manager';
import * as z from 'zod';

const loginSchema = z.object({ username: z.string().min(1), password: z.string() });

export type Login = z.infer<typeof loginSchema>;

/** Where logins come from. `forget` is called when a server refused one: it may have been rotated. */
export interface Logins {
  login(secretId: string): Promise<Login>;
  forget(secretId: string): void;
}

/** Logins from Secrets Manager, each fetched once; concurrent askers share one call, a failed call is not kept. */
export const secretsManagerLogins = (client: SecretsManagerClient): Logins => {
  const kept = new Map<string, Promise<Login>>();
  const fetched = async (secretId: string): Promise<Login> => {
    const { SecretString } = await client.send(new GetSecretValueCommand({ SecretId: secretId }));
    let value: unknown;
    try {
      value = JSON.parse(SecretString ?? '');
    } catch {
      value = undefined;
    }
    const login = loginSchema.safeParse(value);
    // The value itself must not reach the message.
    if (!login.success) throw new Error(`Secret ${secretId} must hold JSON {"username", "password"}.`);
    return login.data;
  };
  return {
    login: (secretId) => {
      const known = kept.get(secretId);
      if (known) return known;
      const asked = fetched(secretId);
      kept.set(secretId, asked);
      asked.catch(() => kept.delete(secretId));
      return asked;
    },
    forget: (secretId) => {
      kept.delete(secretId);
    },
  };
};
