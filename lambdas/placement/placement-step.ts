import * as z from 'zod';
import type { ServerTags } from '../../adapters/servers.ts';

/** What every step on a place of a tenant is told. */
export const placementStep = {
  operation: z.string(),
  tenantId: z.string(),
  /** The operation that holds the tenant's lease; this one unless told. */
  holder: z.string().optional(),
  /** Which of the tenant's places; the active one unless told. */
  placementId: z.string().optional(),
};

/** Seconds of the lease while a server is made or deleted: each look renews it, and between two lies a pause of the machine. */
export const serverLeaseSeconds = 600;

/** What marks a resource outside the registry as one tenant's. */
export const serverTags = (by: { tenantId: string; holder: string }, step: string): ServerTags => ({
  tenant: by.tenantId,
  operation: by.holder,
  step,
});
