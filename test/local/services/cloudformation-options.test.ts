import {
  DeleteStackCommand,
  ListStacksCommand,
  UpdateTerminationProtectionCommand,
} from '@aws-sdk/client-cloudformation';
import { expect, test } from 'vitest';
import { create, openStacks, rested, statusesOf } from '../cloudformation/laptop-stacks.ts';
import { small, vpc } from '../cloudformation/templates.ts';

/** Fails after its VPC was made: the block of the subnet lies outside. */
const broken = (more: object = {}) =>
  small({
    Broken: { Type: 'AWS::EC2::Subnet', Properties: { VpcId: { Ref: 'Vpc' }, CidrBlock: '10.2.0.0/24' } },
    ...more,
  });

test('OnFailure decides what becomes of a stack that fails: deleted, or left as it is', async () => {
  const laptop = await openStacks();
  const gone = await rested(laptop, await create(laptop, 'gone', broken(), { OnFailure: 'DELETE' }));
  expect(gone.StackStatus).toBe('DELETE_COMPLETE');
  const left = await rested(laptop, await create(laptop, 'left', broken(), { OnFailure: 'DO_NOTHING' }));
  expect(left).toMatchObject({
    StackStatus: 'CREATE_FAILED',
    StackStatusReason: expect.stringMatching(/^The following resource\(s\) failed to create: \[.*Broken.*\]\.$/),
  });
  expect(await statusesOf(laptop, 'left')).toMatchObject({ Vpc: 'CREATE_COMPLETE', Broken: 'CREATE_FAILED' });
  await laptop.client.send(new DeleteStackCommand({ StackName: 'left' }));
  expect((await rested(laptop, left.StackId!)).StackStatus).toBe('DELETE_COMPLETE');
});

test('a repeat with its token answers the same stack, another call with the name is refused', async () => {
  const laptop = await openStacks();
  const token = { ClientRequestToken: 'placement-1' };
  const id = await create(laptop, 'acme', small(), token);
  expect(await create(laptop, 'acme', small(), token)).toBe(id);
  await rested(laptop, id);
  expect(await create(laptop, 'acme', small(), token)).toBe(id);
  await expect(create(laptop, 'acme', small(), { ClientRequestToken: 'placement-2' })).rejects.toMatchObject({
    name: 'AlreadyExistsException',
  });
  expect((await laptop.client.send(new ListStacksCommand({}))).StackSummaries).toHaveLength(1);
});

test('a stack under termination protection is kept until the protection is taken off', async () => {
  const laptop = await openStacks();
  const id = await create(laptop, 'acme', small(), { EnableTerminationProtection: true });
  await rested(laptop, id);
  await expect(laptop.client.send(new DeleteStackCommand({ StackName: 'acme' }))).rejects.toMatchObject({
    message: 'Stack [acme] cannot be deleted while TerminationProtection is enabled',
  });
  await laptop.client.send(
    new UpdateTerminationProtectionCommand({ StackName: 'acme', EnableTerminationProtection: false }),
  );
  await laptop.client.send(new DeleteStackCommand({ StackName: 'acme' }));
  expect((await rested(laptop, id)).StackStatus).toBe('DELETE_COMPLETE');
});

test('a resource with a policy of retaining outlives its stack', async () => {
  const laptop = await openStacks();
  const id = await create(laptop, 'acme', {
    Resources: { Kept: vpc('10.1.0.0/16', { DeletionPolicy: 'Retain' }), Gone: vpc('10.2.0.0/16') },
  });
  await rested(laptop, id);
  await laptop.client.send(new DeleteStackCommand({ StackName: 'acme' }));
  expect((await rested(laptop, id)).StackStatus).toBe('DELETE_COMPLETE');
  expect(await statusesOf(laptop, id)).toEqual({ Kept: 'DELETE_SKIPPED', Gone: 'DELETE_COMPLETE' });
});
