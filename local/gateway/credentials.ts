import { randomBytes } from 'node:crypto';
import { mkdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import { dirname } from 'node:path';

export interface Credential {
  readonly accessKeyId: string;
  readonly secretAccessKey: string;
  /** Of the user or assumed role that the key acts as. */
  readonly principalArn: string;
  readonly sessionToken?: string;
  readonly expiresAt?: Date;
}

export type TemporaryCredential = Required<Credential>;

export interface CredentialStore {
  readonly root: Credential;
  /** Answers expired temporary credentials too, for a day: their owner deserves "expired" rather than "unknown". */
  find(accessKeyId: string): Credential | undefined;
  /** Issues a temporary key that acts as `principalArn` for `seconds`. It survives a restart. */
  mint(principalArn: string, seconds: number): TemporaryCredential;
}

const keptAfterExpiry = 86_400_000;

const letters = 'ABCDEFGHIJKLMNOPQRSTUVWXYZ234567';

/** AWS's own form: four letters that tell the kind (AKIA long-term, ASIA temporary), then sixteen of base 32. */
export const newAccessKeyId = (kind: 'AKIA' | 'ASIA'): string =>
  kind + Array.from(randomBytes(16), (byte) => letters[byte % 32]).join('');

export const newSecretAccessKey = (): string => randomBytes(30).toString('base64');

const read = (file: string): TemporaryCredential[] => {
  let text: string;
  try {
    text = readFileSync(file, 'utf8');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return [];
    throw error;
  }
  const entries = JSON.parse(text) as (Omit<TemporaryCredential, 'expiresAt'> & { expiresAt: string })[];
  return entries.map((entry) => ({ ...entry, expiresAt: new Date(entry.expiresAt) }));
};

const write = (file: string, entries: readonly TemporaryCredential[]): void => {
  const draft = `${file}.${process.pid}.draft`;
  writeFileSync(draft, JSON.stringify(entries), { mode: 0o600 });
  renameSync(draft, file);
};

/**
 * The access keys that the gateway trusts: the root key, given at every start, and temporary ones, kept in `file`
 * (mode 0600, replaced atomically). One process writes the file.
 */
export const openCredentialStore = (options: {
  file: string;
  accountId: string;
  accessKeyId: string;
  secretAccessKey: string;
}): CredentialStore => {
  const { file, accountId, accessKeyId, secretAccessKey } = options;
  mkdirSync(dirname(file), { recursive: true });
  const root: Credential = { accessKeyId, secretAccessKey, principalArn: `arn:aws:iam::${accountId}:root` };
  const temporary = new Map(read(file).map((entry) => [entry.accessKeyId, entry]));
  const forget = (now: number): void => {
    for (const { accessKeyId: id, expiresAt } of temporary.values()) {
      if (expiresAt.getTime() + keptAfterExpiry < now) temporary.delete(id);
    }
  };
  return {
    root,
    find: (id) => (id === root.accessKeyId ? root : temporary.get(id)),
    mint(principalArn, seconds) {
      const now = Date.now();
      forget(now);
      const minted: TemporaryCredential = {
        accessKeyId: newAccessKeyId('ASIA'),
        secretAccessKey: newSecretAccessKey(),
        sessionToken: randomBytes(96).toString('base64'),
        principalArn,
        expiresAt: new Date(now + seconds * 1000),
      };
      temporary.set(minted.accessKeyId, minted);
      write(file, [...temporary.values()]);
      return minted;
    },
  };
};
