/** Why a request could not be served for reasons of tenancy, with the HTTP status that says so. */
const statuses = {
  /** No tenant answers to this host. */
  TenantNotFound: 404,
  /** The tenant is suspended by its operator. */
  TenantSuspended: 503,
  /** Fenced longer than the deadline, or its database cannot be reached: nothing was written. */
  TenantUnavailable: 503,
  /** This app serves one tenant, and the tenant lives elsewhere now: nothing was written. */
  TenantMoved: 503,
  /** The connection broke while COMMIT was under way: the work may or may not have been done. */
  OutcomeUnknown: 503,
} as const;

export type TenancyFailureName = keyof typeof statuses;

export class TenancyFailure extends Error {
  override readonly name: TenancyFailureName;
  readonly status: 404 | 503;
  /** Seconds for the Retry-After header; undefined where trying again cannot help or may do the work twice. */
  readonly retryAfter: number | undefined;
  /** The tenant that has moved away, for the header `tenantry-moved`. */
  readonly moved: string | undefined;
  constructor(
    name: TenancyFailureName,
    message: string,
    options: ErrorOptions & { retryAfter?: number; moved?: string } = {},
  ) {
    super(message, options);
    this.name = name;
    this.status = statuses[name];
    this.retryAfter = options.retryAfter;
    this.moved = options.moved;
  }
}

const socketCodes: ReadonlySet<string> = new Set([
  'ECONNREFUSED',
  'ECONNRESET',
  'EPIPE',
  'ETIMEDOUT',
  'EHOSTUNREACH',
  'ENOTFOUND',
  'EAI_AGAIN',
]);

export const sqlState = (error: unknown): string => {
  const code = error instanceof Error && 'code' in error ? error.code : undefined;
  return typeof code === 'string' ? code : '';
};

/** The connection broke or never came: server going down or up (57P0x), class 08, socket errors, pg's own words for them. */
export const isConnectionLost = (error: unknown): boolean => {
  if (error instanceof AggregateError) return error.errors.some(isConnectionLost);
  const code = sqlState(error);
  if (/^57P0|^08/.test(code) || socketCodes.has(code)) return true;
  return (
    error instanceof Error &&
    /Connection terminated|connection timeout|timeout exceeded when|connection error/.test(error.message)
  );
};
