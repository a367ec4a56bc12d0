import { expect, test } from 'vitest';
import { exitCodes } from '../../cli/exit-codes.ts';
import { type RestoreOptions, restoreBody } from '../../cli/restore-request.ts';

test.each([
  [{}, { into: 'copy', approval: 'required' }],
  [
    { objects: true, kind: ['Service'], name: ['app'] },
    { into: 'in-place', approval: 'required', objects: { kinds: ['Service'], names: ['app'] } },
  ],
  [
    { objects: true, withRows: true, confirm: 'acme' },
    { into: 'in-place', approval: 'given', objects: { withRows: true } },
  ],
  [
    { objects: true, dryRun: true, into: 'copy', table: ['users'] },
    { into: 'copy', dryRun: true, approval: 'required', objects: {}, tables: ['users'] },
  ],
] as const)('%j asks for just that', (options, body) => {
  expect(restoreBody('acme', options as unknown as RestoreOptions)).toEqual({ tenantId: 'acme', ...body });
});

test.each([
  [{ kind: ['Service'] }, '--kind is of Kubernetes objects'],
  [{ name: ['app'] }, '--name is of Kubernetes objects'],
  [{ withRows: true }, '--with-rows is of Kubernetes objects'],
  [{ objects: true, into: 'copy' }, '--objects and --into copy'],
  [{ objects: true, into: 'new-tenant' }, '--objects and --into new-tenant'],
  [{ objects: true, pointInTime: true }, '--objects and --point-in-time'],
  [{ at: 'now', backup: 'b-1' }, '--at and --backup'],
] as const)('%j is wrong usage before anything is asked of the cloud', (options, message) => {
  expect(() => restoreBody('acme', options as unknown as RestoreOptions)).toThrow(
    expect.objectContaining({ exitCode: exitCodes.usage, message: expect.stringContaining(message) }),
  );
});
