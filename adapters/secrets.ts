import { randomBytes } from 'node:crypto';
import {
  CreateSecretCommand,
  DeleteSecretCommand,
  GetSecretValueCommand,
  ResourceExistsException,
  ResourceNotFoundException,
  type SecretsManagerClient,
} from '@aws-sdk/client-secrets-manager';
import * as z from 'zod';

const credentialsSchema = z.object({ username: z.string().min(1), password: z.string().min(1) });

export type Credentials = z.infer<typeof credentialsSchema>;

export interface Secrets {
  /** The login kept in a secret as JSON {"username","password"}; fetched once per process. */
  credentials(secretId: string): Promise<Credentials>;
  /** Names and values of a secret that is a JSON object of texts, read anew each time; nothing where there is no such secret. */
  values(secretId: string): Promise<Readonly<Record<string, string>>>;
  /** Forgets a login that the server refused (28P01): the next `credentials` reads the rotated one. */
  forget(secretId: string): void;
  /** The login of that secret, made with a random password where there is none; a repeat answers the one that was made. */
  ensure(secretId: string, username: string, tags: Readonly<Record<string, string>>): Promise<Credentials>;
  /** Removes a secret for good; one that is not there is left so. */
  remove(secretId: string): Promise<void>;
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
  const credentials = (secretId: string): Promise<Credentials> => {
    const known = kept.get(secretId);
    if (known) return known;
    const fetched = fetch(secretId);
    kept.set(secretId, fetched);
    fetched.catch(() => kept.delete(secretId));
    return fetched;
  };
  return {
    credentials,
    values: async (secretId) => {
      try {
        const { SecretString } = await client.send(new GetSecretValueCommand({ SecretId: secretId }));
        const parsed = z.record(z.string(), z.string()).safeParse(parseJson(SecretString));
        if (parsed.success) return parsed.data;
      } catch (error) {
        if (error instanceof ResourceNotFoundException) return {};
        throw error;
      }
      throw new Error(`secret ${secretId} must be a JSON object of texts; store it again in that form`);
    },
    forget: (secretId) => {
      kept.delete(secretId);
    },
    ensure: async (secretId, username, tags) => {
      // 32 hex digits are 128 random bits, and RDS refuses some punctuation in a master password.
      const login = { username, password: randomBytes(16).toString('hex') };
      try {
        await client.send(
          new CreateSecretCommand({
            Name: secretId,
            SecretString: JSON.stringify(login),
            Tags: Object.entries(tags).map(([Key, Value]) => ({ Key, Value })),
          }),
        );
      } catch (error) {
        if (!(error instanceof ResourceExistsException)) throw error;
      }
      return credentials(secretId);
    },
    remove: async (secretId) => {
      kept.delete(secretId);
      try {
        await client.send(new DeleteSecretCommand({ SecretId: secretId, ForceDeleteWithoutRecovery: true }));
      } catch (error) {
        if (!(error instanceof ResourceNotFoundException)) throw error;
      }
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
