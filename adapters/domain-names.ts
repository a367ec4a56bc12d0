import { Resolver } from 'node:dns/promises';
import { type DomainRecords, proofName, type Unanswered } from '../domain/domain-proof.ts';

/** What the DNS says of domains that customers bring. */
export interface DomainNames {
  /** The records that prove a domain; a name or record that is not there counts as none. Never throws. */
  look(domain: string): Promise<DomainRecords | Unanswered>;
}

const absent: ReadonlySet<string> = new Set(['ENODATA', 'ENOTFOUND']);

const codeOf = (error: unknown): string => (error as NodeJS.ErrnoException).code ?? String(error);

const orNone = async <Value>(asked: Promise<Value[]>): Promise<Value[]> => {
  try {
    return await asked;
  } catch (error) {
    if (absent.has(codeOf(error))) return [];
    throw error;
  }
};

/** `servers`: addresses with or without port, comma separated; those of the machine when empty. Two tries of two seconds each. */
export const openDomainNames = (servers = ''): DomainNames => {
  const resolver = new Resolver({ timeout: 2_000, tries: 2 });
  if (servers !== '') resolver.setServers(servers.split(','));
  return {
    look: async (domain) => {
      try {
        const [texts, four, six] = await Promise.all([
          orNone(resolver.resolveTxt(proofName(domain))),
          orNone(resolver.resolve4(domain)),
          orNone(resolver.resolve6(domain)),
        ]);
        return { texts: texts.map((strings) => strings.join('')), addresses: [...four, ...six] };
      } catch (error) {
        return { failure: codeOf(error) };
      }
    },
  };
};
