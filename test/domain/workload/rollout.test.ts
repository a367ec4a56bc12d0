import { describe, expect, test } from 'vitest';
import type { KubeObject } from '../../../domain/workload/object.ts';
import { rolloutOf } from '../../../domain/workload/rollout.ts';

const deployment = (
  status: Readonly<Record<string, unknown>>,
  { generation = 2, replicas = 2 }: { generation?: number; replicas?: number } = {},
): KubeObject => ({
  apiVersion: 'apps/v1',
  kind: 'Deployment',
  metadata: { name: 'app', generation },
  spec: { replicas },
  status,
});

const whole = { observedGeneration: 2, replicas: 2, updatedReplicas: 2, availableReplicas: 2 };

const pod = (name: string, status: Readonly<Record<string, unknown>>, creationTimestamp = '2026-11-27T04:00:00Z') => ({
  apiVersion: 'v1',
  kind: 'Pod',
  metadata: { name, creationTimestamp },
  status,
});

const waiting = (reason: string, message: string) => ({
  containerStatuses: [{ ready: false, restartCount: 0, state: { waiting: { reason, message } } }],
});

test('an app is ready when every pod is new and available', () => {
  expect(rolloutOf(deployment(whole))).toEqual({ state: 'ready', reason: '2 of 2 pods available' });
});

test('an app that its autoscaler has not raised yet is not ready', () => {
  const one = { observedGeneration: 1, replicas: 1, updatedReplicas: 1, availableReplicas: 1 };
  const fresh = deployment(one, { generation: 1, replicas: 1 });
  expect(rolloutOf(fresh, { least: 3 })).toEqual({ state: 'progressing', reason: '1 of 3 pods available, 1 updated' });
  expect(rolloutOf(fresh, { least: 1 }).state).toBe('ready');
  expect(rolloutOf(deployment(whole), { least: 1 })).toMatchObject({ state: 'ready', reason: '2 of 2 pods available' });
});

describe('an app that looks ready and is not', () => {
  const cases: Record<string, KubeObject> = {
    'the controller has not seen the change': deployment(whole, { generation: 3 }),
    'a pod of the old version still counts': deployment({ ...whole, replicas: 3 }),
    'the new pods are not available': deployment({ ...whole, availableReplicas: 1 }),
    'the available pods are the old ones': deployment({ ...whole, updatedReplicas: 1 }),
    'nothing is known yet': deployment({}),
    'a condition of the generation before says that it failed': deployment(
      { ...whole, conditions: [{ type: 'Progressing', status: 'False', reason: 'ProgressDeadlineExceeded' }] },
      { generation: 3 },
    ),
  };
  for (const [name, object] of Object.entries(cases))
    test(name, () => expect(rolloutOf(object).state).toBe('progressing'));
});

test('a quota that refuses a pod ends the wait, with its own words', () => {
  const message = 'pods "app-1" is forbidden: exceeded quota: app, requested: pods=1, used: pods=8, limited: pods=8';
  const refused = deployment({
    ...whole,
    availableReplicas: 1,
    conditions: [{ type: 'ReplicaFailure', status: 'True', reason: 'FailedCreate', message }],
  });
  expect(rolloutOf(refused)).toEqual({ state: 'failed', reason: `FailedCreate: ${message}` });
});

test('an image that cannot be pulled is waited for until the deadline, and named before and after', () => {
  const pods = [pod('app-1', waiting('ImagePullBackOff', 'Back-off pulling image "chat:9"'))];
  const before = deployment({ observedGeneration: 2, replicas: 2, updatedReplicas: 2, availableReplicas: 0 });
  expect(rolloutOf(before, { pods })).toEqual({
    state: 'progressing',
    reason: '0 of 2 pods available, 2 updated; pod app-1: ImagePullBackOff: Back-off pulling image "chat:9"',
  });
  const conditions = [
    { type: 'Progressing', status: 'False', reason: 'ProgressDeadlineExceeded', message: 'too late' },
  ];
  const after = deployment({ ...(before.status as object), conditions });
  expect(rolloutOf(after, { pods })).toEqual({
    state: 'failed',
    reason: 'ProgressDeadlineExceeded: too late; pod app-1: ImagePullBackOff: Back-off pulling image "chat:9"',
  });
  const nonsense = [pod('app-1', waiting('InvalidImageName', 'couldn\'t parse image "CHAT::1"'))];
  expect(rolloutOf(before, { pods: nonsense }).state).toBe('failed');
});

test('the newest pod and the newest warning tell what is wrong', () => {
  const before = deployment({ observedGeneration: 2, replicas: 2, updatedReplicas: 1, availableReplicas: 1 });
  const old = pod('app-old', waiting('CrashLoopBackOff', 'back-off 10s'), '2026-11-27T03:00:00Z');
  const unplaced = pod('app-new', {
    conditions: [{ type: 'PodScheduled', status: 'False', reason: 'Unschedulable', message: '0/2 nodes' }],
  });
  expect(rolloutOf(before, { pods: [old, unplaced] }).reason).toContain('pod app-new: Unschedulable: 0/2 nodes');
  const crashed = pod('app-1', {
    containerStatuses: [
      { ready: false, restartCount: 3, state: {}, lastState: { terminated: { reason: 'Error', exitCode: 1 } } },
    ],
  });
  expect(rolloutOf(before, { pods: [crashed] }).reason).toContain(
    'pod app-1: restarted 3 times (it ended with Error 1)',
  );
  const event = (message: string, lastTimestamp: string, type = 'Warning') => ({
    apiVersion: 'v1',
    kind: 'Event',
    metadata: { name: message },
    type,
    reason: 'Unhealthy',
    message,
    lastTimestamp,
  });
  const events = [
    event('probe failed', '2026-11-27T04:00:02Z'),
    event('older', '2026-11-27T04:00:01Z'),
    event('scaled', '2026-11-27T04:00:03Z', 'Normal'),
  ];
  expect(rolloutOf(before, { events }).reason).toBe('1 of 2 pods available, 1 updated; Unhealthy: probe failed');
});
