import { configName, secretName } from './config.ts';
import type { KubeObject } from './object.ts';
import { scales } from './scale.ts';
import { appName, appSelector, containerPort, labelsOf, namespaced, type WorkloadSpec } from './spec.ts';

/** Any number but 0: images name their user by words, which `runAsNonRoot` cannot check. */
const user = 10_001;

const health = { httpGet: { path: '/healthz', port: 'http' } };

const container = ({ image, resources }: WorkloadSpec) => {
  const each = { cpu: resources.cpu, memory: resources.memory };
  return {
    name: appName,
    image,
    ports: [{ name: 'http', containerPort, protocol: 'TCP' }],
    env: [
      { name: 'PORT', value: String(containerPort) },
      { name: 'HOST', value: '0.0.0.0' },
    ],
    envFrom: [{ configMapRef: { name: configName } }, { secretRef: { name: secretName } }],
    // Requests equal limits, so the pods are the last that a full node evicts (QoS class Guaranteed).
    resources: { requests: each, limits: each },
    startupProbe: { ...health, periodSeconds: 1, failureThreshold: 60 },
    readinessProbe: { ...health, periodSeconds: 5, timeoutSeconds: 3, failureThreshold: 2 },
    // The health page asks the database: a failover of one to two minutes must not restart every pod on top.
    livenessProbe: { ...health, periodSeconds: 10, timeoutSeconds: 5, failureThreshold: 30 },
    securityContext: {
      allowPrivilegeEscalation: false,
      readOnlyRootFilesystem: true,
      capabilities: { drop: ['ALL'] },
    },
    volumeMounts: [{ name: 'tmp', mountPath: '/tmp' }],
  };
};

/**
 * The app itself. Without `replicas` where an autoscaler has the say: an apply would set back what it decided. Pods carry no
 * label that an apply may change, or each apply would roll them.
 */
export const deploymentObject = (spec: WorkloadSpec): KubeObject =>
  namespaced(spec, 'apps/v1', 'Deployment', appName, {
    spec: {
      ...(scales(spec) ? {} : { replicas: spec.resources.replicas }),
      revisionHistoryLimit: 3,
      progressDeadlineSeconds: spec.progressSeconds ?? 300,
      strategy: { type: 'RollingUpdate', rollingUpdate: { maxSurge: 1, maxUnavailable: 0 } },
      selector: { matchLabels: appSelector },
      template: {
        metadata: { labels: labelsOf(spec) },
        spec: {
          serviceAccountName: appName,
          automountServiceAccountToken: false,
          enableServiceLinks: false,
          terminationGracePeriodSeconds: 30,
          securityContext: {
            runAsNonRoot: true,
            runAsUser: user,
            runAsGroup: user,
            fsGroup: user,
            seccompProfile: { type: 'RuntimeDefault' },
          },
          topologySpreadConstraints: [
            {
              maxSkew: 1,
              topologyKey: 'topology.kubernetes.io/zone',
              whenUnsatisfiable: 'ScheduleAnyway',
              labelSelector: { matchLabels: appSelector },
            },
          ],
          containers: [container(spec)],
          volumes: [{ name: 'tmp', emptyDir: {} }],
        },
      },
    },
  });
