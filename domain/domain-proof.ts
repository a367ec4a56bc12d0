import { addressProblem } from './public-address.ts';

/** What DNS says of a custom domain now. */
export interface DomainRecords {
  /** TXT records of `proofName`, each with its strings joined. */
  readonly texts: readonly string[];
  /** IPv4 and IPv6 addresses of the domain itself, aliases followed. */
  readonly addresses: readonly string[];
}

/** DNS gave no answer, neither records nor that there are none. */
export interface Unanswered {
  /** Code of DNS, such as ESERVFAIL or ETIMEOUT. */
  readonly failure: string;
}

/** `NoAnswer`: no name server of the domain answers, so that nothing is known. */
export const domainRefusals = ['NoAnswer', 'NoRecord', 'WrongToken', 'NoAddress', 'PrivateAddress'] as const;
export type DomainRefusal = (typeof domainRefusals)[number];

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
export const judgeDomain = (domain: string, token: string, found: DomainRecords | Unanswered): DomainJudgement => {
  const name = proofName(domain);
  const wanted = `create TXT ${name} with the value ${proofText(token)}`;
  if ('failure' in found)
    return no(
      'NoAnswer',
      `DNS does not answer for ${domain} (${found.failure}); look after its name servers, and ${wanted}`,
    );
  const { texts, addresses } = found;
  if (texts.length === 0) return no('NoRecord', `there is no TXT record ${name}; ${wanted}`);
  if (!texts.includes(proofText(token))) {
    const shown = texts.slice(0, 5).map((text) => JSON.stringify(text.slice(0, 100)));
    return no('WrongToken', `TXT ${name} holds ${shown.join(', ')}; ${wanted}`);
  }
  if (addresses.length === 0) return no('NoAddress', `${domain} has no A or AAAA record; point it at your ingress`);
  const problems = addresses.flatMap((address) => addressProblem(address) ?? []);
  return problems.length === 0
    ? { proved: true }
    : no('PrivateAddress', `${domain} resolves to addresses that are not public: ${problems.slice(0, 5).join(', ')}`);
};
