import { randomUUID } from 'node:crypto';
import type {
  CreateStackInput,
  DeleteStackInput,
  Tag,
  UpdateTerminationProtectionInput,
} from '@aws-sdk/client-cloudformation';
import { type Call, type Operation, ServiceError } from '../gateway/service.ts';
import { checkCapabilities } from './capabilities.ts';
import { type CloudFormationContext, findStack, requireStack } from './context.ts';
import { parameterTexts } from './parameters.ts';
import { planStack } from './plan.ts';
import { invalid, notHere } from './refusals.ts';
import type { OnFailure, StackRecord } from './store.ts';
import { readTemplate } from './template.ts';
import { templateOf } from './template-source.ts';
import { setStack } from './transitions.ts';

/** CloudFormation: a letter, then letters, digits and hyphens, 128 at most. */
const namePattern = /^[a-zA-Z][-a-zA-Z0-9]{0,127}$/;

/** What AWS does with a stack and this CloudFormation does not: refused rather than left out in silence. */
const absent = [
  'RollbackConfiguration',
  'NotificationARNs',
  'TimeoutInMinutes',
  'StackPolicyBody',
  'StackPolicyURL',
  'ResourceTypes',
  'RetainExceptOnCreate',
] as const;

const refuseAbsent = (input: CreateStackInput): void => {
  const found = absent.find((member) => {
    const value = input[member];
    return value !== undefined && value !== false && !(Array.isArray(value) && value.length === 0);
  });
  if (found) throw notHere(found);
};

/** CloudFormation: 50 tags, keys of 1 to 128 characters that do not begin with aws:, values of 1 to 256. */
const tagsOf = (given: readonly Tag[] = []): Record<string, string> => {
  const bad = given.find(
    ({ Key = '', Value = '' }) => Key === '' || Key.length > 128 || /^aws:/.test(Key) || Value.length > 256,
  );
  if (bad || given.length > 50)
    throw invalid(
      `Tag "${bad?.Key ?? given.length}" is not valid: 50 tags, keys of 1 to 128 and values of 256 at most.`,
    );
  return Object.fromEntries(given.map(({ Key = '', Value = '' }) => [Key, Value]));
};

const failureOf = ({ OnFailure: given, DisableRollback: disabled }: CreateStackInput): OnFailure => {
  if (given !== undefined && disabled !== undefined)
    throw invalid('You can specify either DisableRollback or OnFailure, but not both');
  if (given !== undefined && !['ROLLBACK', 'DELETE', 'DO_NOTHING'].includes(given))
    throw invalid(`OnFailure is "${given}"; give DO_NOTHING, ROLLBACK or DELETE.`);
  return (given as OnFailure | undefined) ?? (disabled ? 'DO_NOTHING' : 'ROLLBACK');
};

const create = async (context: CloudFormationContext, input: CreateStackInput, { caller }: Call) => {
  const { store, account, driver } = context;
  const name = input.StackName ?? '';
  if (!namePattern.test(name))
    throw invalid(`StackName "${name}" must be a letter, then letters, digits and hyphens, 128 at most.`);
  refuseAbsent(input);
  const text = await templateOf(context, input);
  const template = readTemplate(text);
  const parameters = parameterTexts(template, input.Parameters);
  checkCapabilities(template, input.Capabilities ?? []);
  const id = `arn:aws:cloudformation:${account.region}:${account.accountId}:stack/${name}/${randomUUID()}`;
  const plan = planStack(template, parameters, account, { stackId: id, stackName: name });
  const found = findStack(context, name);
  if (found && input.ClientRequestToken !== undefined && found.createToken === input.ClientRequestToken)
    return { StackId: found.id };
  if (found) throw new ServiceError('AlreadyExistsException', `Stack [${name}] already exists`);
  const now = Date.now();
  const stack: StackRecord = {
    id,
    name,
    status: 'CREATE_IN_PROGRESS',
    template: text,
    parameters,
    tags: tagsOf(input.Tags),
    capabilities: input.Capabilities ?? [],
    roleArn: input.RoleARN,
    onFailure: failureOf(input),
    protected: input.EnableTerminationProtection ?? false,
    token: input.ClientRequestToken,
    createToken: input.ClientRequestToken,
    caller: caller.principalArn,
    retain: [],
    createdAt: now,
    outputs: [],
  };
  store.transaction(() => {
    store.stacks.put(id, stack);
    for (const { id: resource, type } of plan.resources.values())
      store.putResource({
        stackId: id,
        id: resource,
        type,
        status: 'PENDING',
        properties: {},
        attributes: {},
        changedAt: now,
      });
  });
  setStack(store, id, 'CREATE_IN_PROGRESS', { reason: 'User Initiated' });
  driver.drive(id);
  return { StackId: id };
};

const remove = (context: CloudFormationContext, input: DeleteStackInput): object => {
  const { store, driver } = context;
  const stack = findStack(context, input.StackName);
  // A stack that is not there is deleted already, as CloudFormation sees it.
  if (!stack || stack.status === 'DELETE_COMPLETE' || stack.status === 'DELETE_IN_PROGRESS') return {};
  if (stack.protected) throw invalid(`Stack [${stack.name}] cannot be deleted while TerminationProtection is enabled`);
  const retain = input.RetainResources ?? [];
  if (retain.length > 0 && stack.status !== 'DELETE_FAILED')
    throw invalid(`Invalid operation on stack [${stack.name}]: RetainResources is for stacks in DELETE_FAILED.`);
  setStack(store, stack.id, 'DELETE_IN_PROGRESS', {
    reason: 'User Initiated',
    retain,
    token: input.ClientRequestToken,
  });
  driver.drive(stack.id);
  return {};
};

export const stackOperations = (context: CloudFormationContext): Record<string, Operation> => ({
  CreateStack: (input: CreateStackInput, call) => create(context, input, call),
  DeleteStack: (input: DeleteStackInput) => remove(context, input),
  UpdateTerminationProtection: (input: UpdateTerminationProtectionInput) => {
    const { id } = requireStack(context, input.StackName);
    context.store.stacks.update(id, { protected: input.EnableTerminationProtection ?? false });
    return { StackId: id };
  },
});
