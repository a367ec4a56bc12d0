import type { KubeObject } from './object.ts';
import { appName, appSelector, namespaced, type WorkloadSpec } from './spec.ts';

/** The kind that the Prometheus operator brings; whether a cluster has it is asked, not assumed. */
export const monitorKind = { apiVersion: 'monitoring.coreos.com/v1', kind: 'ServiceMonitor' } as const;

/** Tells Prometheus where the app's numbers are. */
export const monitorObjects = (spec: WorkloadSpec): KubeObject[] =>
  spec.monitoring
    ? [
        namespaced(spec, monitorKind.apiVersion, monitorKind.kind, appName, {
          spec: {
            selector: { matchLabels: appSelector },
            endpoints: [{ port: 'http', path: '/metrics', interval: '30s' }],
          },
        }),
      ]
    : [];
