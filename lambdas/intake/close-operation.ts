import type { SQSBatchResponse, SQSEvent } from 'aws-lambda';
import { readExecutionEnd } from '../../domain/execution-end.ts';
import { worldOfProcess } from '../step.ts';
import { takeEach } from './batch.ts';
import { endOperation } from './end-operation.ts';

/**
 * Takes the ends of executions that Step Functions tells. An operation that its own steps ended is left alone, as are children
 * of a Map and nested machines without an operation; an end that could not be recorded now comes again.
 */
export const handler = (event: SQSEvent): Promise<SQSBatchResponse> =>
  takeEach(event, async (body) => {
    const end = readExecutionEnd(JSON.parse(body));
    if (end) await endOperation(worldOfProcess(), end);
  });
