import { spawn } from 'node:child_process';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { loadAll } from 'js-yaml';
import { StepFailure } from '../../domain/errors.ts';
import type { KubeObject } from '../../domain/workload/object.ts';

/** Where a chart is and what renders it. */
export interface ChartSettings {
  /** Directory, package file or `oci://` reference. */
  readonly chart: string;
  /** Path of the helm program, 3 or 4: `/opt/helm/helm` in a layer of Lambda. */
  readonly program: string;
}

export interface ChartRequest {
  readonly namespace: string;
  readonly values: object;
  /** Version of the cluster, by which charts choose API versions; helm's own unless told. */
  readonly kubernetesVersion?: string | undefined;
}

const renderMillis = 30_000;

const missing = (program: string): StepFailure =>
  new StepFailure(
    'WorkloadRefused',
    `there is no helm program at ${program}: install Helm (in Lambda a layer that brings /opt/helm/helm) and let APP_HELM name it, or run tenants without APP_CHART`,
  );

const run = async (program: string, args: readonly string[], input: string, home: string): Promise<string> => {
  const child = spawn(program, args, {
    // Nothing of ours reaches templates, and no kubeconfig of whoever runs this: `template` asks no cluster.
    env: {
      PATH: process.env.PATH ?? '',
      HOME: home,
      HELM_CACHE_HOME: join(home, 'cache'),
      HELM_CONFIG_HOME: join(home, 'config'),
      HELM_DATA_HOME: join(home, 'data'),
      KUBECONFIG: join(home, 'none'),
    },
    stdio: ['pipe', 'pipe', 'pipe'],
    timeout: renderMillis,
  });
  const ended = new Promise<number | null>((resolve, reject) => {
    child.once('error', reject);
    child.once('close', resolve);
  });
  // A program that does not read its values ends by itself; what counts then is its exit.
  child.stdin.on('error', () => undefined);
  child.stdin.end(input);
  const [code, output, complaint] = await Promise.all([ended, text(child.stdout), text(child.stderr)]);
  if (code === 0) return output;
  const words = complaint.trim().slice(0, 1_500) || `it ended with ${code ?? 'a signal'}`;
  throw new StepFailure('WorkloadRefused', `helm cannot render the chart: ${words}`);
};

/**
 * The objects of a chart, by `helm template`: no release is made, so an apply, its prune and its way back are those of every
 * other app. Tests of the chart are left out. Throws WorkloadRefused with helm's own words.
 */
export const renderChart = async (
  { chart, program }: ChartSettings,
  { namespace, values, kubernetesVersion }: ChartRequest,
): Promise<KubeObject[]> => {
  const home = await mkdtemp(join(tmpdir(), 'tenantry-helm-'));
  try {
    const version = kubernetesVersion === undefined ? [] : ['--kube-version', kubernetesVersion];
    const args = ['template', 'app', chart, '--namespace', namespace, '--skip-tests', ...version, '--values', '-'];
    const output = await run(program, args, JSON.stringify(values), home);
    return loadAll(output).filter((object): object is KubeObject => object !== null && object !== undefined);
  } catch (error) {
    throw (error as NodeJS.ErrnoException).code === 'ENOENT' ? missing(program) : error;
  } finally {
    await rm(home, { recursive: true, force: true });
  }
};
