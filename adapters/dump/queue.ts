import type { ArchiveOwner } from './manifest.ts';
import type { Share } from './plan.ts';
import type { StreamedTenant } from './write-archive.ts';

/** A tenant with what is to be read of it. */
export interface SizedTenant<Owner extends ArchiveOwner = ArchiveOwner> {
  readonly owner: Owner;
  readonly shares: readonly Share[];
  readonly estimate: number;
}

/** What one reader does at a time: one table of a large tenant, one tenant, or many small ones together. */
export type Work<Owner extends ArchiveOwner> =
  | { readonly kind: 'table'; readonly owner: Owner; readonly streamed: StreamedTenant; readonly share: Share }
  | { readonly kind: 'tenants'; readonly tenants: readonly SizedTenant<Owner>[] };

/** Above this a tenant's tables become objects of their own, streamed: memory stays flat whatever its size. */
const packedBytes = 8 * 1024 * 1024;

/** Rows that are read together, by their estimate, and at most so many tenants: an error among them costs one more try each. */
const groupBytes = 4 * 1024 * 1024;
const groupTenants = 100;

/** Neighbours by id are read together: their rows lie beside each other in the index of every table. */
export const groupTenantsOf = <Owner extends ArchiveOwner>(
  tenants: readonly SizedTenant<Owner>[],
): SizedTenant<Owner>[][] => {
  const groups: SizedTenant<Owner>[][] = [];
  let bytes = Number.POSITIVE_INFINITY;
  for (const tenant of tenants.toSorted((a, b) => (a.owner.tenantId < b.owner.tenantId ? -1 : 1))) {
    const last = groups.at(-1);
    if (last && last.length < groupTenants && bytes + tenant.estimate <= groupBytes) {
      last.push(tenant);
      bytes += tenant.estimate;
    } else {
      groups.push([tenant]);
      bytes = tenant.estimate;
    }
  }
  return groups;
};

/** Everything that has to be read, the longest first: the table of a large tenant that begins last would be waited for alone. */
export const planWork = <Owner extends ArchiveOwner>(
  tenants: readonly SizedTenant<Owner>[],
  stream: (tenant: SizedTenant<Owner>) => StreamedTenant,
): Work<Owner>[] => {
  const large = tenants.filter(({ estimate }) => estimate > packedBytes);
  const tables = large.flatMap((tenant) => {
    const streamed = stream(tenant);
    return tenant.shares.map((share) => ({ kind: 'table' as const, owner: tenant.owner, streamed, share }));
  });
  const groups = groupTenantsOf(tenants.filter(({ estimate }) => estimate <= packedBytes));
  return [
    ...tables.toSorted((a, b) => b.share.estimate - a.share.estimate),
    ...groups.map((group) => ({ kind: 'tenants' as const, tenants: group })),
  ];
};
