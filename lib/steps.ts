import type { IFunction } from 'aws-cdk-lib/aws-lambda';
import { Stack, type StackProps } from 'aws-cdk-lib/core';
import type { Construct } from 'constructs';
import { allFunctions } from '../domain/deployment.ts';
import type { FunctionName } from '../domain/workflows.ts';
import { acknowledge } from './acknowledgements.ts';
import type { Places } from './reach.ts';
import type { SharedPlatform } from './shared-platform.ts';
import { createStepFunction } from './step-function.ts';
import { TenantEvents } from './tenant-events.ts';

export interface StepsProps extends StackProps {
  readonly platform: SharedPlatform;
}

/**
 * The functions, and the bus and queues that they read and write: a stack of their own, since four resources of each would not fit
 * beside the machines (CloudFormation: 500 resources in a stack).
 */
export class Steps extends Stack {
  readonly places: Places;

  constructor(scope: Construct, id: string, { platform, ...props }: StepsProps) {
    super(scope, id, { ...props, description: 'Tenantry: what the workflows call, and the way of an event to it' });
    const events = new TenantEvents(this, 'Events');
    this.places = { platform, bus: events.bus, deadLetters: events.deadLetters };
    const created = Object.fromEntries(
      Object.entries(allFunctions).map(([name, handler]) => [
        name,
        createStepFunction(this, name as FunctionName, handler, this.places),
      ]),
    ) as unknown as Record<FunctionName, IFunction>;
    events.consume({
      startWorkflow: created.StartWorkflow,
      recordEvent: created.RecordEvent,
      closeOperation: created.CloseOperation,
    });
    acknowledge(this);
  }
}
