import * as z from 'zod';
import { reservedSlugs } from './names.ts';
import { isolations, tiers } from './place.ts';

export const tenantStatuses = [
  'provisioning',
  'active',
  'suspended',
  'deprovisioning',
  'deprovisioned',
  'failed',
] as const;
export type TenantStatus = (typeof tenantStatuses)[number];

/** Days for which the slug of a tenant that left is given to nobody: links and mail of its people still point there. */
export const reservedDays = 30;

/**
 * One DNS label (RFC 1035) of 2 to 40 characters, so that `tenant-<slug>` and `t_<slug>` fit everywhere. Single hyphens
 * inside only: `--` in place three and four marks punycode (`xn--`). It is matched against the text as it came: Unicode
 * normalisation turns full-width letters and soft hyphens into plain `admin` (research 3.3).
 */
const slug = /^[a-z](?:[a-z0-9]|-(?=[a-z0-9])){1,39}$/;

const slugRule = 'must be 2 to 40 characters of a-z, 0-9 and single hyphens between them, beginning with a letter';

/** The nearest text that is a free slug, if there is one. Only a hint: it never replaces what was asked for. */
const suggestSlug = (text: string): string | undefined => {
  const plain = text
    .toLowerCase()
    .replaceAll(/[^a-z0-9]+/g, '-')
    .replace(/^[^a-z]+/, '')
    .slice(0, 40)
    .replace(/-$/, '');
  const candidate = reservedSlugs.has(plain) ? `${plain}-team` : plain;
  return slug.test(candidate) && !reservedSlugs.has(candidate) ? candidate : undefined;
};

/** What is wrong with a wanted tenant id, as a sentence that goes after `tenantId`; undefined when nothing is. */
export const slugProblem = (text: string): string | undefined => {
  const hint = (): string => {
    const suggestion = suggestSlug(text);
    return suggestion ? `; try "${suggestion}"` : '';
  };
  if (!slug.test(text)) return `${slugRule}${hint()}`;
  return reservedSlugs.has(text) ? `is reserved, choose another name${hint()}` : undefined;
};

const label = /^[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?$/;

/** Names that resolve to the machine or network of whoever asks: a route there would never be the customer's. */
const privateSuffixes = ['localhost', 'local', 'internal', 'arpa', 'onion', 'home', 'lan', 'invalid'];

/** What is wrong with a custom domain; undefined when nothing is. ASCII only: international names come as punycode. */
export const domainProblem = (text: string): string | undefined => {
  const labels = text.split('.');
  if (text.length > 253 || labels.length < 2 || !labels.every((part) => label.test(part)))
    return 'must be a host name in lower case such as chat.acme.com (international names as xn--, no port, no trailing dot)';
  const last = labels.at(-1)!;
  // A top-level domain of digits is an IP address to every resolver (RFC 3696 section 2).
  if (!/[a-z]/.test(last) || /^0x/.test(last)) return 'must be a host name, not an IP address';
  return privateSuffixes.includes(last) ? `must be reachable by customers; .${last} names are private` : undefined;
};

const checked = (problem: (text: string) => string | undefined) =>
  z.string().superRefine((text, context) => {
    const message = problem(text);
    if (message !== undefined) context.addIssue({ code: 'custom', message });
  });

/** A new tenant's id. Steps that act on existing tenants take any text: the registry knows which exist. */
export const newTenantId = checked(slugProblem).meta({ pattern: slug.source, examples: ['acme'] });

export const customDomain = checked(domainProblem).meta({ examples: ['chat.acme.com'] });

/** An existing tenant's id, as people type it. */
export const tenantId = z.string().min(1).max(40);

/** Plans come and go with the price list, so only their form is checked here. */
export const planId = z
  .string()
  .regex(/^[a-z][a-z0-9-]{0,39}$/, 'must be a name of a-z, 0-9 and hyphens such as starter');

const region = z.string().regex(/^[a-z0-9-]{1,40}$/, 'must be a region such as eu-central-1');

const complianceName = z
  .string()
  .regex(/^[a-z][a-z0-9-]{0,39}$/, 'must be a name of a-z, 0-9 and hyphens such as hipaa');

/** Profile of a signup: what the app's `tenant_created` hook gets. */
export const profile = {
  plan: planId.optional(),
  name: z.string().trim().min(1).max(200).optional(),
  adminEmail: z.email().max(254).optional(),
  adminName: z.string().trim().min(1).max(200).optional(),
  customDomain: customDomain.optional(),
  /** Where the rows live; what the plan gives unless told. */
  isolation: z.enum(isolations).optional(),
  /** Where the app runs; what the placement rules give unless told. */
  tier: z.enum(tiers).optional(),
  /** Takes a tier or isolation that the plan does not allow; only with a reason. */
  force: z.boolean().optional(),
  reason: z.string().min(1).max(1_000).optional(),
  /** People who will use the app: the placement rules ask for it. */
  users: z.int().min(0).max(100_000_000).optional(),
  /** Requirements such as `hipaa`, in lower case. */
  compliance: z.array(complianceName).max(20).optional(),
  /** Preferred region: another one is taken rather than refuse a customer. */
  region: region.optional(),
  /** Region that the data must not leave: the tenant is refused rather than placed elsewhere. */
  residency: region.optional(),
};
