import { ServiceError } from '../gateway/service.ts';
import type { ExecutionStarter, FunctionInvoker, TargetDelivery } from '../ports.ts';

/** The port's context; rules and schedules add the group that a FIFO queue needs. */
type DeliveryContext = Parameters<TargetDelivery['deliver']>[2] & { readonly messageGroupId?: string };

/** What targets are reached through; one that is left out refuses its ARNs by name. */
export interface TargetPorts {
  readonly queues?: {
    send(
      arn: string,
      body: string,
      attributes?: Readonly<Record<string, string>>,
      group?: { readonly messageGroupId?: string },
    ): Promise<void>;
  };
  readonly functions?: FunctionInvoker;
  readonly machines?: ExecutionStarter;
  /** `forward` of the events service. */
  readonly buses?: { forward(busArn: string, payload: string): Promise<void> };
}

const unreachable = (arn: string): never => {
  throw new ServiceError('ResourceNotFoundException', `Nothing here serves the target ${arn}.`, { status: 404 });
};

/**
 * The TargetDelivery port over the four services that a target may be of. A function's own error counts as a failed
 * delivery, so that the target's RetryPolicy and dead-letter queue apply to it.
 */
export const createTargetDelivery = ({ queues, functions, machines, buses }: TargetPorts): TargetDelivery => ({
  deliver: async (arn, payload, context: DeliveryContext) => {
    const { messageGroupId } = context;
    switch (arn.split(':')[2]) {
      case 'sqs':
        await (queues ?? unreachable(arn)).send(
          arn,
          payload,
          {},
          messageGroupId === undefined ? {} : { messageGroupId },
        );
        return;
      case 'lambda': {
        const { functionError, payload: answer } = await (functions ?? unreachable(arn)).invoke(arn, payload);
        if (functionError !== undefined) throw new Error(`${arn} failed (${functionError}): ${answer.slice(0, 500)}`);
        return;
      }
      case 'states':
        await (machines ?? unreachable(arn)).start(arn, payload);
        return;
      case 'events':
        await (buses ?? unreachable(arn)).forward(arn, payload);
        return;
      default:
        unreachable(arn);
    }
  },
});
