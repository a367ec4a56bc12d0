import { type FailureName, StepFailure } from '../../domain/errors.ts';
import { type ApiAnswer, messageOf } from './transport.ts';

/** What the API's refusals mean to a machine. */
const nameOf = (status: number, message: string): FailureName => {
  // A new access entry takes seconds to count, and RBAC names whom it refuses; quota and Pod Security name the rule instead.
  if (status === 401 || (status === 403 && /User ".*" cannot /.test(message))) return 'ClusterUnavailable';
  if (/because it is being terminated/.test(message)) return 'WorkloadNotReady';
  return status === 409 ? 'WorkloadNotReady' : 'WorkloadRefused';
};

/** The API's own words under a name that machines know. `doing`: `apply v1 Secret t-acme/db`. */
export const refusal = (cluster: string, doing: string, { status, body }: ApiAnswer): StepFailure => {
  const message = messageOf(body);
  const name = nameOf(status, message);
  const hint =
    status === 401
      ? '; give the role of the steps an access entry of the cluster, or look whether its name is right'
      : '';
  return new StepFailure(name, `cluster ${cluster} refuses to ${doing}: ${status} ${message}${hint}`.slice(0, 2_000));
};
