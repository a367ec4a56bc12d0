import type { Client } from 'pg';

/**
 * Runs `work` on a client of its own, which is ended behind it. When the signal aborts the connection is cut: an open
 * transaction can then never commit behind the machine's back.
 */
export const onClient = async <Result>(
  connect: () => Promise<Client>,
  signal: AbortSignal,
  work: (client: Client) => Promise<Result>,
): Promise<Result> => {
  const client = await connect();
  const cut = (): void => void client.end().catch(() => undefined);
  signal.addEventListener('abort', cut, { once: true });
  try {
    return await work(client);
  } finally {
    signal.removeEventListener('abort', cut);
    await client.end().catch(() => undefined);
  }
};
