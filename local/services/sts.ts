import { createHash } from 'node:crypto';
import type { AssumeRoleRequest, AssumeRoleResponse, GetCallerIdentityResponse } from '@aws-sdk/client-sts';
import * as client from '@aws-sdk/client-sts';
import type { CredentialStore } from '../gateway/credentials.ts';
import { type Call, type SchemaService, ServiceError } from '../gateway/service.ts';

/** AWS's rules: https://docs.aws.amazon.com/STS/latest/APIReference/API_AssumeRole.html */
const sessionNamePattern = /^[\w+=,.@-]{2,64}$/;
const roleArnPattern = /^arn:aws:iam::(\d{12}):role\/(?:[\w+=,.@/-]+\/)?([\w+=,.@-]{1,64})$/;
const duration = { default: 3_600, least: 900, most: 43_200, chained: 3_600 };

const invalid = (member: string, value: unknown, rule: string): ServiceError =>
  new ServiceError(
    'ValidationError',
    `1 validation error detected: Value '${String(value)}' at '${member}' failed to satisfy constraint: ${rule}`,
  );

/** `AROA...`, the unique id that AWS gives a role; the same role has the same one at every start. */
const roleId = (roleArn: string): string =>
  `AROA${createHash('sha256').update(roleArn).digest('hex').slice(0, 17).toUpperCase()}`;

const isAssumedRole = (principalArn: string): boolean => principalArn.includes(':assumed-role/');

const checkPolicy = (policy: string): void => {
  try {
    JSON.parse(policy);
  } catch {
    throw new ServiceError(
      'MalformedPolicyDocumentException',
      'Policy is not a JSON document; give an IAM policy or none.',
    );
  }
};

const checkDuration = (seconds: number, call: Call): void => {
  if (!Number.isInteger(seconds) || seconds < duration.least || seconds > duration.most) {
    throw invalid(
      'durationSeconds',
      seconds,
      `Member must be a whole number from ${duration.least} to ${duration.most}`,
    );
  }
  if (isAssumedRole(call.caller.principalArn) && seconds > duration.chained) {
    throw new ServiceError(
      'ValidationError',
      `DurationSeconds is ${seconds}: it exceeds the 1 hour session limit for roles assumed by role chaining; give ${duration.chained} or less.`,
    );
  }
};

const getCallerIdentity = ({ principalArn, accountId }: Call['caller']): GetCallerIdentityResponse => {
  const [, role, session] = /:assumed-role\/([^/]+)\/(.+)$/.exec(principalArn) ?? [];
  const userId = role ? `${roleId(`arn:aws:iam::${accountId}:role/${role}`)}:${session}` : accountId;
  return { Account: accountId, Arn: principalArn, UserId: userId };
};

/**
 * STS: who am I, and temporary credentials that act as a role. Roles need not exist and no trust policy is asked: on a
 * laptop every key belongs to the same person. Roles of other accounts are refused.
 */
export const createStsService = (options: { accountId: string; credentials: CredentialStore }): SchemaService => {
  const { accountId, credentials } = options;
  const assumeRole = (input: AssumeRoleRequest, call: Call): AssumeRoleResponse => {
    const { RoleArn = '', RoleSessionName = '', DurationSeconds = duration.default, Policy } = input;
    const [, account, role] = roleArnPattern.exec(RoleArn) ?? [];
    if (!account || !role) throw invalid('roleArn', RoleArn, `Member must be arn:aws:iam::${accountId}:role/NAME`);
    if (!sessionNamePattern.test(RoleSessionName)) {
      throw invalid(
        'roleSessionName',
        RoleSessionName,
        'Member must satisfy regular expression pattern: [\\w+=,.@-]{2,64}',
      );
    }
    if (Policy !== undefined) checkPolicy(Policy);
    checkDuration(DurationSeconds, call);
    if (account !== accountId) {
      const message = `User: ${call.caller.principalArn} is not authorized to perform: sts:AssumeRole on resource: ${RoleArn}`;
      throw new ServiceError('AccessDenied', `${message}; the account here is ${accountId}.`, { status: 403 });
    }
    const arn = `arn:aws:sts::${accountId}:assumed-role/${role}/${RoleSessionName}`;
    const minted = credentials.mint(arn, DurationSeconds);
    return {
      AssumedRoleUser: {
        Arn: arn,
        AssumedRoleId: `${roleId(`arn:aws:iam::${accountId}:role/${role}`)}:${RoleSessionName}`,
      },
      Credentials: {
        AccessKeyId: minted.accessKeyId,
        SecretAccessKey: minted.secretAccessKey,
        SessionToken: minted.sessionToken,
        Expiration: minted.expiresAt,
      },
    };
  };
  return {
    kind: 'schema',
    signingName: 'sts',
    protocol: 'awsQuery',
    client,
    operations: { AssumeRole: assumeRole, GetCallerIdentity: (_input, call) => getCallerIdentity(call.caller) },
  };
};
