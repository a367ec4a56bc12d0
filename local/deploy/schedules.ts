import { CreateScheduleCommand, type SchedulerClient, UpdateScheduleCommand } from '@aws-sdk/client-scheduler';
import { functionName, reapSchedule } from '../../domain/deployment.ts';
import { plans } from '../../domain/plans.ts';
import { machineName } from '../../domain/workflows.ts';
import { isNamed, type Target } from './target.ts';

/** One schedule per plan for the fleet's backup, and the reaper's. */
export const createSchedules = async (scheduler: SchedulerClient, target: Target): Promise<void> => {
  const roleArn = `arn:aws:iam::${target.accountId}:role/tenantry-scheduler`;
  const fleet = `arn:aws:states:${target.region}:${target.accountId}:stateMachine:${machineName('back-up-fleet')}`;
  const reaper = `arn:aws:lambda:${target.region}:${target.accountId}:function:${functionName('ReapLeases')}`;
  const schedules = [
    ...Object.entries(plans).map(([plan, { backupSchedule }]) => ({
      name: `tenantry-back-up-${plan}`,
      expression: backupSchedule as string,
      target: { Arn: fleet, RoleArn: roleArn, Input: JSON.stringify({ plan }) },
    })),
    { name: 'tenantry-reap-leases', expression: reapSchedule, target: { Arn: reaper, RoleArn: roleArn, Input: '{}' } },
  ];
  for (const { name, expression, target: called } of schedules) {
    const schedule = {
      Name: name,
      ScheduleExpression: expression,
      FlexibleTimeWindow: { Mode: 'OFF' as const },
      Target: called,
    };
    try {
      await scheduler.send(new UpdateScheduleCommand(schedule));
    } catch (error) {
      if (!isNamed(error, 'ResourceNotFoundException')) throw error;
      await scheduler.send(new CreateScheduleCommand(schedule));
    }
  }
};
