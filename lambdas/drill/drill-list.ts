import * as z from 'zod';

export const drilledBackups = z.array(z.object({ tenantId: z.string(), backupId: z.string() }));

/** What ChooseDrills writes and the Map and the summary read. */
export const drillSlicesSchema = z.array(
  z.object({
    cell: z.string(),
    schemaFingerprint: z.string(),
    backups: drilledBackups,
    /** Left out in lists of before. */
    large: z.boolean().default(false),
  }),
);

/** Under `fleet/`, which the machines may read and a lifecycle rule empties. */
export const drillListKey = (operation: string): string => `fleet/${operation}/drills.json`;
