import type { StateFailure } from '../failure.ts';
import type { Frame } from '../frame.ts';
import type { World } from '../world.ts';
import type { Resource } from './resource.ts';

const timeouts = new Set(['States.Timeout', 'States.HeartbeatTimeout']);

const failureDetails = (failure: StateFailure): { error: string; cause?: string } =>
  failure.reason === undefined ? { error: failure.error } : { error: failure.error, cause: failure.reason };

/** Timing of the task as it was scheduled, in the field names of the Scheduled events. */
interface Timing {
  readonly timeoutInSeconds?: number;
  readonly heartbeatInSeconds?: number;
}

/** The events of one task. A function named by its ARN has a vocabulary of its own (recorded from AWS). */
export const taskEvents = (world: World, frame: Frame, resource: Resource) => {
  const append = (type: string, details?: object, data?: string): number => {
    frame.previous = world.history.append(frame.run, type, frame.previous, details, data);
    return frame.previous;
  };
  const service = resource.kind === 'service' ? { resource: resource.action, resourceType: resource.type } : undefined;
  return {
    scheduled: (parameters: string, timing: Timing): number => {
      const id = service
        ? append('TaskScheduled', { ...service, region: world.region, ...timing }, parameters)
        : append(
            'LambdaFunctionScheduled',
            { resource: resource.kind === 'function' ? resource.arn : '', ...timing },
            parameters,
          );
      append(service ? 'TaskStarted' : 'LambdaFunctionStarted', service);
      return id;
    },
    submitted: (output: string): number => append('TaskSubmitted', service, output),
    succeeded: (output: string): number =>
      append(service ? 'TaskSucceeded' : 'LambdaFunctionSucceeded', service, output),
    failed: (failure: StateFailure): number => {
      const end = timeouts.has(failure.error) ? 'TimedOut' : 'Failed';
      return append(`${service ? 'Task' : 'LambdaFunction'}${end}`, { ...service, ...failureDetails(failure) });
    },
  };
};
