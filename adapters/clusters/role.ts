import { AssumeRoleCommand, type STSClient } from '@aws-sdk/client-sts';

export interface TemporaryCredentials {
  readonly accessKeyId: string;
  readonly secretAccessKey: string;
  readonly sessionToken: string;
  readonly expiration: Date;
}

/**
 * Credentials of a session of a role, as a client's `credentials` takes them: the SDK keeps them and asks again five minutes before
 * they expire. The session lives an hour, the longest of a role that assumes another (IAM, role chaining).
 */
export const assumedRole = (client: STSClient, roleArn: string) => async (): Promise<TemporaryCredentials> => {
  const { Credentials } = await client.send(
    new AssumeRoleCommand({ RoleArn: roleArn, RoleSessionName: 'tenantry', DurationSeconds: 3_600 }),
  );
  const { AccessKeyId, SecretAccessKey, SessionToken, Expiration } = Credentials!;
  return {
    accessKeyId: AccessKeyId!,
    secretAccessKey: SecretAccessKey!,
    sessionToken: SessionToken!,
    expiration: Expiration!,
  };
};
