import type { Leases } from './leases.ts';

/** Which leases are renewed, for whom, and for how long each time. */
export interface Kept {
  readonly tenantIds: readonly string[];
  readonly holder: string;
  readonly seconds: number;
}

/** Runs `work` and renews the leases each third of their time. One that is lost all the same is noticed by the next step. */
export const keepLeases = async <Result>(
  leases: Pick<Leases, 'holdMany'>,
  kept: Kept,
  work: () => Promise<Result>,
): Promise<Result> => {
  const renew = (): void => void leases.holdMany(kept).catch(() => undefined);
  const timer = setInterval(renew, (kept.seconds * 1_000) / 3);
  try {
    return await work();
  } finally {
    clearInterval(timer);
  }
};
