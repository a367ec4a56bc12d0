import { EKSClient } from '@aws-sdk/client-eks';
import { onTestFinished } from 'vitest';
import type { ControlPlane } from '../../../local/eks/control-plane.ts';
import { createEksService, type EksOptions } from '../../../local/services/eks.ts';
import { accountId, region } from '../gateway/account.ts';
import { openEndpoint, temporary } from '../gateway/endpoint.ts';

/** Notes what EKS asks of the API server; a Kubernetes of its own is not what these tests are about. */
export const recordingPlane = () => {
  const calls: string[] = [];
  const plane: ControlPlane = {
    certificateAuthority: 'Y2E=',
    create: (name) => void calls.push(`create ${name}`),
    remove: (name) => void calls.push(`remove ${name}`),
    endpoint: (name) => `https://127.0.0.1:1/clusters/${name}`,
  };
  return { plane, calls };
};

/** EKS behind a real gateway, and the unmodified SDK client. `close` ends a life; the directory may be opened again. */
export const openEks = async (options: Partial<EksOptions> = {}) => {
  const directory = options.directory ?? (await temporary('eks'));
  const { plane, calls } = recordingPlane();
  const service = createEksService({
    directory,
    region,
    accountId,
    controlPlanes: plane,
    createDelayMillis: 30,
    ...options,
  });
  service.start();
  const endpoint = await openEndpoint(() => [service]);
  onTestFinished(() => service.close());
  return { ...endpoint, directory, service, calls, client: new EKSClient(endpoint.config) };
};

export const roleArn = `arn:aws:iam::${accountId}:role/clusters`;

export const clusterOf = (name: string, more: object = {}) => ({
  name,
  roleArn,
  resourcesVpcConfig: { subnetIds: ['subnet-a', 'subnet-b'] },
  accessConfig: { authenticationMode: 'API' as const },
  ...more,
});
