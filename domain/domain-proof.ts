import { addressProblem } from './public-address.ts';

/** What DNS says of a custom domain now. */
export interface DomainRecords {
  /** TXT records of `proofName`, each with its strings joined. */
  readonly texts: readonly string[];
  /** IPv4 and IPv6 addresses of the domain itself, aliases followed. */
  readonly addresses: readonly string[];
}

export type DomainRefusal = 'NoRecord' | 'WrongToken' | 'NoAddress' | 'PrivateAddress';

export type DomainJudgement =
  | { readonly proved: true }
  | { readonly proved: false; readonly why: DomainRefusal; readonly reason: string };

/** Name of the TXT record by which whoever rules a domain lets a tenant have it. */
export const proofName = (domain: string): string => `_tenantry.${domain}`;

/** Text of that record. `token`: 128 bits of a tenant and domain, not secret but not to be guessed. */
export const proofText = (token: string): string => `tenantry=${token}`;

const no = (why: DomainRefusal, reason: string): DomainJudgement => ({ proved: false, why, reason });

/**
 * Whether a domain may be routed to the tenant that has `token`: its owner says so in DNS, and each of its addresses is public.
 * Other TXT records beside the right one do not matter.
 */
export const judgeDomain = (domain: string, token: string, { texts, addresses }: DomainRecords): DomainJudgement => {
  const name = proofName(domain);
  const wanted = `create TXT ${name} with the value ${proofText(token)}`;
  if (texts.length === 0) return no('NoRecord', `there is no TXT record ${name}; ${wanted}`);
  if (!texts.includes(proofText(token))) {
    const found = texts.slice(0, 5).map((text) => JSON.stringify(text.slice(0, 100)));
    return no('WrongToken', `TXT ${name} holds ${found.join(', ')}; ${wanted}`);
  }
  if (addresses.length === 0) return no('NoAddress', `${domain} has no A or AAAA record; point it at your ingress`);
  const problems = addresses.flatMap((address) => addressProblem(address) ?? []);
  return problems.length === 0
    ? { proved: true }
    : no('PrivateAddress', `${domain} resolves to addresses that are not public: ${problems.slice(0, 5).join(', ')}`);
};
