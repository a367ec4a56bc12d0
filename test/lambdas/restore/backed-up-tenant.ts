import type { RestoreLaptop } from './restore-laptop.ts';

/** Input of a restore that replaces live rows and asks nobody. */
export const inPlace = { into: 'in-place', approval: 'given' } as const;

/** What a machine hands on when the swap of a restore failed. */
export const failure = { step: 'SwapRestore', error: 'BrokenReferences', cause: '{"errorMessage":"4 rows"}' };

export interface BackedUpTenant {
  readonly tenantId: string;
  /** Name of the restore that a test does first. */
  readonly operation: string;
  /** The one backup: the rows as they were before any harm. */
  readonly backupId: string;
  /** Deletes all reactions and overwrites all messages. */
  harm(): Promise<void>;
  /** Input of a step of a restore; of `operation` unless told. */
  about(restoreId: string, id?: string): { operation: string; tenantId: string; restoreId: string };
}

let number = 0;

/** Another tenant with rows and a sealed backup of them; its name is new in every call. */
export const addBackedUpTenant = async (bench: RestoreLaptop): Promise<BackedUpTenant> => {
  number += 1;
  const tenantId = `tenant${number}`;
  const operation = `restore-${tenantId}`;
  await bench.addTenant(tenantId);
  const backupId = await bench.backUp(tenantId);
  return {
    tenantId,
    operation,
    backupId,
    harm: () => bench.as(tenantId, `DELETE FROM reactions; UPDATE messages SET body = 'gone'`),
    about: (restoreId, id = operation) => ({ operation: id, tenantId, restoreId }),
  };
};
