import { GetSecretValueCommand, type SecretsManagerClient } from '@aws-sdk/client-secrets-manager';
import { z } from 'zod';

const credentialsSchema = z.object({ username: z.string().min(1), password: z.string().min(1) });

export type Credentials = z.infer<typeof credentialsSchema>;

export interface Secrets {
  /** The login kept in a secret as JSON {"username","password"}; fetched once per process. */
  credentials(secretId: string): Promise<Credentials>;
  /** Forgets a login that the server refused (28P01): the next `credentials` reads the rotated one. */
  forget(secretId: string): void;
}

/** Secrets Manager, one GetSecretValue per secret and process. A failed fetch is not kept. */
export const openSecrets = (client: SecretsManagerClient): Secrets => {
  const kept = new Map<string, Promise<Credentials>>();
  const fetch = async (secretId: string): Promise<Credentials> => {
    const { SecretString } = await client.send(new GetSecretValueCommand({ SecretId: secretId }));
    const parsed = credentialsSchema.safeParse(parseJson(SecretString));
    // The value must not reach an error message: zod's issues name paths only, the input stays out.
    if (!parsed.success)
      throw new Error(`secret ${secretId} must be JSON {"username","password"}; store it again in that form`);
    return parsed.data;
  };
  return {
    credentials: (secretId) => {
      const known = kept.get(secretId);
      if (known) return known;
      const fetched = fetch(secretId);
      kept.set(secretId, fetched);
      fetched.catch(() => kept.delete(secretId));
      return fetched;
    },
    forget: (secretId) => {
      kept.delete(secretId);
    },
  };
};

const parseJson = (text: string | undefined): unknown => {
  try {
    return JSON.parse(text ?? '');
  } catch {
    return undefined;
  }
};
