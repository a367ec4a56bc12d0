import type { Context } from 'hono';
import { HTTPException } from 'hono/http-exception';
import type { ContentfulStatusCode } from 'hono/utils/http-status';
import * as z from 'zod';
import { isUnavailable } from '../../adapters/postgres/sql.ts';
import { type FailureName, StepFailure } from '../../domain/errors.ts';
import { explainIssues } from '../../domain/explain.ts';

/** Stable across releases: what clients may compare. */
export type ProblemCode =
  | 'invalid-request'
  | 'not-found'
  | 'tenant-not-found'
  | 'operation-not-found'
  | 'restore-not-found'
  | 'backup-not-found'
  | 'backup-without-objects'
  | 'move-not-found'
  | 'domain-not-found'
  | 'dead-letter-not-found'
  | 'tenant-exists'
  | 'tenant-not-ready'
  | 'tenant-busy'
  | 'operation-over'
  | 'not-awaiting-approval'
  | 'restore-refused'
  | 'move-refused'
  | 'plan-forbids'
  | 'backup-not-sealed'
  | 'unavailable'
  | 'internal';

const titles: Readonly<Record<ProblemCode, string>> = {
  'invalid-request': 'The request is not valid',
  'not-found': 'No such resource',
  'tenant-not-found': 'No such tenant',
  'operation-not-found': 'No such operation',
  'restore-not-found': 'No such restore',
  'backup-not-found': 'No such backup',
  'backup-without-objects': 'The backup has no Kubernetes objects',
  'move-not-found': 'No such move',
  'domain-not-found': 'The tenant has no custom domain',
  'dead-letter-not-found': 'No such dead letter',
  'tenant-exists': 'The tenant id is taken',
  'tenant-not-ready': 'The tenant is not in a state for this',
  'tenant-busy': 'Another operation works on the tenant',
  'operation-over': 'The operation has ended',
  'not-awaiting-approval': 'The operation waits for nobody',
  'move-refused': 'The move cannot do this now',
  'plan-forbids': 'The plan does not allow this',
  'restore-refused': 'The restore cannot do this now',
  'backup-not-sealed': 'The backup is not in a state for this',
  unavailable: 'A part of Tenantry does not answer now',
  internal: 'Tenantry has a fault',
};

/** A refusal that reaches the client as application/problem+json (RFC 9457). */
export class Problem extends Error {
  readonly status: ContentfulStatusCode;
  readonly code: ProblemCode;
  readonly errors: readonly { readonly field: string; readonly message: string }[];
  constructor(status: ContentfulStatusCode, code: ProblemCode, detail: string, errors: Problem['errors'] = []) {
    super(detail);
    this.status = status;
    this.code = code;
    this.errors = errors;
  }
}

const ofStep: Partial<Record<FailureName, readonly [ContentfulStatusCode, ProblemCode]>> = {
  InvalidStepInput: [400, 'invalid-request'],
  TenantNotFound: [404, 'tenant-not-found'],
  RestoreNotFound: [404, 'restore-not-found'],
  TenantExists: [409, 'tenant-exists'],
  TenantNotReady: [409, 'tenant-not-ready'],
  TenantBusy: [409, 'tenant-busy'],
  StaleOperation: [409, 'operation-over'],
  RestoreRefused: [409, 'restore-refused'],
  MoveNotFound: [404, 'move-not-found'],
  MoveRefused: [409, 'move-refused'],
  NoCapacity: [409, 'move-refused'],
  PlanForbids: [409, 'plan-forbids'],
};

/** Any thrown value as a problem; what clients cannot act on says no more than that. */
export const problemOf = (error: unknown): Problem => {
  if (error instanceof Problem) return error;
  if (error instanceof z.ZodError)
    return new Problem(
      400,
      'invalid-request',
      explainIssues(error),
      error.issues.map(({ path, message }) => ({ field: path.join('.'), message })),
    );
  if (error instanceof HTTPException) return new Problem(400, 'invalid-request', error.message);
  const known = error instanceof StepFailure ? ofStep[error.name] : undefined;
  if (known) return new Problem(...known, (error as Error).message);
  const unavailable = isUnavailable(error) || (error instanceof StepFailure && error.name === 'DatabaseUnavailable');
  return unavailable
    ? new Problem(503, 'unavailable', 'the registry does not answer now; try again in a moment')
    : new Problem(500, 'internal', 'the request failed; the log has the reason under this request id');
};

export const answerProblem = (context: Context, problem: Problem, instance: string): Response =>
  context.json(
    {
      type: `urn:tenantry:problem:${problem.code}`,
      title: titles[problem.code],
      status: problem.status,
      code: problem.code,
      detail: problem.message,
      instance,
      ...(problem.errors.length > 0 ? { errors: problem.errors } : {}),
    },
    problem.status,
    { 'content-type': 'application/problem+json' },
  );
