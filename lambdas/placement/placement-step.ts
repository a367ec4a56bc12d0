import { z } from 'zod';

/** What every step on a place of a tenant is told. */
export const placementStep = {
  operation: z.string(),
  tenantId: z.string(),
  /** The operation that holds the tenant's lease; this one unless told. */
  holder: z.string().optional(),
  /** Which of the tenant's places; the active one unless told. */
  placementId: z.string().optional(),
};
