import { type Call, type SchemaService, ServiceError } from '../../gateway/service.ts';
import type { MasterSecrets } from '../../rds/secrets.ts';

/** A call of RDS's own: operations on secrets do not look at who calls. */
const call = {} as Call;

const isNamed = (error: unknown, name: string): boolean => error instanceof ServiceError && error.name === name;

/** Secrets Manager in process, as RDS uses it. A secret that is there already gets the new value. */
export const masterSecrets = ({ operations }: SchemaService): MasterSecrets => {
  const run = async <Answer>(name: string, input: object): Promise<Answer> =>
    (await operations[name]!(input, call)) as Answer;
  return {
    keep: async (name, login) => {
      const SecretString = JSON.stringify(login);
      try {
        return (await run<{ ARN: string }>('CreateSecret', { Name: name, SecretString })).ARN;
      } catch (error) {
        if (!isNamed(error, 'ResourceExistsException')) throw error;
        return (await run<{ ARN: string }>('PutSecretValue', { SecretId: name, SecretString })).ARN;
      }
    },
    remove: async (arn) => {
      try {
        await run('DeleteSecret', { SecretId: arn, ForceDeleteWithoutRecovery: true });
      } catch (error) {
        if (!isNamed(error, 'ResourceNotFoundException')) throw error;
      }
    },
  };
};
