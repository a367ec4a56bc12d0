/** `t_acme`: schema, role or database of a tenant. Slugs have no underscore, so two slugs never meet in one name. */
export const sqlName = (tenantId: string): string => `t_${tenantId.replaceAll('-', '_')}`;

/** `tenant-acme`: namespace of a tenant; 47 characters at most, 63 are allowed. */
export const namespaceName = (tenantId: string): string => `tenant-${tenantId}`;

/** URL of a tenant out of a pattern such as `https://{tenant}.example.com`. */
export const tenantUrl = (pattern: string, tenantId: string): string => pattern.replaceAll('{tenant}', tenantId);

/** Host under which the router finds a tenant: no port, lower case. */
export const hostOf = (url: string): string => new URL(url).hostname;

const words = (text: string): string[] => text.trim().split(/\s+/);

/**
 * Slugs that nobody may have: they would shadow a host that browsers, mail or certificates trust (RFC 2142, 6186, 7672,
 * 8461; `wpad` and `isatap` are asked for by every Windows machine), or a database, schema or namespace that exists.
 */
export const reservedSlugs: ReadonlySet<string> = new Set([
  ...words(
    'www www1 www2 web app apps api api-docs graphql rest grpc cdn static assets img images media files download downloads',
  ),
  ...words(
    'admin administrator root sysadmin superuser operator operators console dashboard portal manage management control',
  ),
  ...words(
    'auth login logout signin signup signout register oauth oauth2 sso saml oidc account accounts billing pay payment payments',
  ),
  ...words(
    'mail email smtp imap pop pop3 mx webmail autoconfig autodiscover mta-sts postmaster hostmaster abuse noc security',
  ),
  ...words(
    'dns ns ns1 ns2 ns3 ns4 wpad isatap localhost local localdomain broadcasthost gateway router proxy vpn ftp sftp ssh git',
  ),
  ...words('support help docs doc blog news status about legal privacy terms contact jobs press shop store sales info'),
  ...words('dev stage staging prod production internal intranet'),
  ...words('postgres postgresql template0 template1 rdsadmin pg-catalog information-schema public tenantry registry'),
  ...words(
    'kube-system kube-public kube-node-lease default kubernetes eks aws amazon metrics monitoring grafana prometheus',
  ),
  ...words('null undefined none nil true false new edit delete me self all any system tenant tenants'),
]);
