import { ServiceError } from '../gateway/service.ts';
import { isObject, type Template } from './template.ts';

/** Properties that give resources of IAM names of the template's choice. */
const nameProperties = ['RoleName', 'ManagedPolicyName', 'GroupName', 'UserName', 'InstanceProfileName'];

/** What a template asks its caller to acknowledge: it makes resources of IAM, with names of its own or without. */
export const neededCapabilities = (template: Template): readonly string[] => {
  const resources = Object.values(template.Resources).filter(({ Type }) => Type.startsWith('AWS::IAM::'));
  const named = resources.some(
    ({ Properties = {} }) => isObject(Properties) && nameProperties.some((name) => name in Properties),
  );
  if (named) return ['CAPABILITY_NAMED_IAM'];
  return resources.length > 0 ? ['CAPABILITY_IAM'] : [];
};

/** CAPABILITY_NAMED_IAM covers CAPABILITY_IAM. */
export const checkCapabilities = (template: Template, given: readonly string[]): void => {
  const missing = neededCapabilities(template).filter(
    (needed) => !given.includes(needed) && !given.includes('CAPABILITY_NAMED_IAM'),
  );
  if (missing.length > 0)
    throw new ServiceError('InsufficientCapabilitiesException', `Requires capabilities : [${missing.join(', ')}]`);
};
