import { CreateScheduleCommand, type SchedulerClient, UpdateScheduleCommand } from '@aws-sdk/client-scheduler';
import {
  domainSchedule,
  drillSchedule,
  expirySchedule,
  functionName,
  reapSchedule,
  sweepSchedule,
} from '../../domain/deployment.ts';
import { plans } from '../../domain/plans.ts';
import { type FunctionName, machineName, type WorkflowName } from '../../domain/workflows.ts';
import { isNamed, type Target } from './target.ts';

/** One schedule per plan for the fleet's backup, those of drills and of retention, and those of functions that look after what nobody works on. */
export const createSchedules = async (scheduler: SchedulerClient, target: Target): Promise<void> => {
  const roleArn = `arn:aws:iam::${target.accountId}:role/tenantry-scheduler`;
  const machine = (workflow: WorkflowName): string =>
    `arn:aws:states:${target.region}:${target.accountId}:stateMachine:${machineName(workflow)}`;
  const lambda = (name: FunctionName): string =>
    `arn:aws:lambda:${target.region}:${target.accountId}:function:${functionName(name)}`;
  const call = (name: FunctionName) => ({ Arn: lambda(name), RoleArn: roleArn, Input: '{}' });
  const schedules = [
    ...Object.entries(plans).map(([plan, { backupSchedule }]) => ({
      name: `tenantry-back-up-${plan}`,
      expression: backupSchedule as string,
      target: { Arn: machine('back-up-fleet'), RoleArn: roleArn, Input: JSON.stringify({ plan }) },
    })),
    {
      name: 'tenantry-drill-restores',
      expression: drillSchedule,
      target: { Arn: machine('drill-restores'), RoleArn: roleArn, Input: '{}' },
    },
    {
      name: 'tenantry-expire-backups',
      expression: expirySchedule,
      target: { Arn: machine('expire-backups'), RoleArn: roleArn, Input: '{}' },
    },
    { name: 'tenantry-reap-leases', expression: reapSchedule, target: call('ReapLeases') },
    { name: 'tenantry-sweep-moves', expression: sweepSchedule, target: call('SweepMoves') },
    { name: 'tenantry-verify-domains', expression: domainSchedule, target: call('VerifyDomains') },
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
