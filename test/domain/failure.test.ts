import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { describeFailure, reasonOf } from '../../domain/failure.ts';

const lambda = (errorType: string, errorMessage: string) =>
  JSON.stringify({ errorType, errorMessage, trace: ['at x'] });
const nested = (error: string, cause: string, Status = 'FAILED') =>
  JSON.stringify({ ExecutionArn: 'arn', Input: '{}', Error: error, Cause: cause, Status });

describe('the reason of a failure', () => {
  test.each([
    ['a Lambda error', 'NoCapacity', lambda('NoCapacity', 'no cell has a free place'), 'no cell has a free place'],
    ['plain text', 'ProvisioningFailed', 'PlaceTenant: full', 'PlaceTenant: full'],
    [
      'a nested execution',
      'States.TaskFailed',
      nested('TenantBusy', lambda('TenantBusy', 'held by op-1')),
      'held by op-1',
    ],
    [
      'an execution in an execution',
      'States.TaskFailed',
      nested('States.TaskFailed', nested('E', lambda('E', 'the innermost'))),
      'the innermost',
    ],
    [
      'a nested execution that was stopped',
      'States.TaskFailed',
      nested('', '', 'ABORTED'),
      'the nested execution was stopped',
    ],
    [
      'a nested execution that took too long',
      'States.TaskFailed',
      nested('', '', 'TIMED_OUT'),
      'it did not answer within its time-out',
    ],
    ['a time-out without a word', 'States.Timeout', '', 'it did not answer within its time-out'],
    ['silence', 'Strange', '  ', 'it failed with Strange and said no more'],
    ['a cause that was cut', 'E', lambda('E', 'said "so" and more').slice(0, 52), 'said "so" and mor'],
  ])('is readable for %s', (_what, error, cause, reason) => {
    expect(reasonOf({ error, cause })).toBe(reason);
  });

  test('names the innermost error and the step of the outer machine', () => {
    const cause = nested('SchemaRefused', lambda('SchemaRefused', 'realms has no tenant_id'));
    expect(describeFailure({ step: 'PreparePlacement', error: 'States.TaskFailed', cause })).toEqual({
      reason: 'realms has no tenant_id',
      failedStep: 'PreparePlacement',
      error: 'SchemaRefused',
    });
  });

  test('is a sentence of at most 2,000 characters for any input', () => {
    fc.assert(
      fc.property(
        fc.string(),
        fc.oneof(
          fc.string(),
          fc.json(),
          fc.json().map((text) => JSON.stringify({ Cause: text })),
        ),
        (error, cause) => {
          const reason = reasonOf({ error, cause });
          return typeof reason === 'string' && reason.length > 0 && reason.length <= 2_000;
        },
      ),
      { numRuns: 5_000 },
    );
    expect(reasonOf({ error: 'E', cause: 'x'.repeat(9_000) })).toHaveLength(2_000);
  });
});
