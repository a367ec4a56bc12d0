export const tiers = ['shared', 'namespace', 'cluster'] as const;

/** Where a tenant's app runs. */
export type Tier = (typeof tiers)[number];

export const isolations = ['pooled', 'database', 'server'] as const;

/** Where a tenant's rows live. */
export type Isolation = (typeof isolations)[number];
