import { spawnSync } from 'node:child_process';
import { chmodSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { Cluster } from '../../../adapters/cluster/cluster.ts';
import { renderChart } from '../../../adapters/cluster/helm.ts';
import { ownAppObjects } from '../../../adapters/cluster/own-objects.ts';
import { objectName } from '../../../domain/workload/object.ts';
import { aWorkload } from '../../domain/workload/any-workload.ts';
import { startTestClusters, type TestClusters } from './control-plane.ts';

const spec = aWorkload();
const helm = process.env.TENANTRY_HELM ?? 'helm';
const hasHelm = spawnSync(helm, ['version']).status === 0;

let clusters: TestClusters;
let cluster: Cluster;
let directory: string;

beforeAll(async () => {
  directory = mkdtempSync(join(tmpdir(), 'tenantry-chart-'));
  clusters = await startTestClusters();
  cluster = clusters.cluster('shared');
});
afterAll(async () => {
  await clusters?.stop();
  rmSync(directory, { recursive: true });
});

/** A program in helm's place: it has the words of the real one, where the machine has none. */
const program = (name: string, script: string): string => {
  const file = join(directory, name);
  writeFileSync(file, `#!${process.execPath}\n${script}`);
  chmodSync(file, 0o755);
  return file;
};

test('without a helm program the message says what to install and which variable names it', async () => {
  await expect(
    ownAppObjects(cluster, spec, { chart: 'helm/tenant-app', program: join(directory, 'none') }),
  ).rejects.toMatchObject({
    name: 'WorkloadRefused',
    message: expect.stringMatching(/there is no helm program at .*\/none: install Helm .*APP_HELM/),
  });
});

test('what helm complains about reaches the reason of the failure', async () => {
  const failing = program('failing', `console.error('Error: chart requires kubeVersion: >=1.99'); process.exit(1);`);
  await expect(renderChart({ chart: 'x', program: failing }, { namespace: 'n', values: {} })).rejects.toMatchObject({
    name: 'WorkloadRefused',
    message: 'helm cannot render the chart: Error: chart requires kubeVersion: >=1.99',
  });
});

test('values go in on standard input, no password and nothing of our environment among them', async () => {
  const echo = program(
    'echo',
    `const chunks = []; process.stdin.on('data', (chunk) => chunks.push(chunk)).on('end', () => {
       const seen = { args: process.argv.slice(2), env: Object.keys(process.env), values: Buffer.concat(chunks).toString() };
       console.log('---\\n# Source: nothing\\n---\\n' + JSON.stringify({ apiVersion: 'v1', kind: 'Service', metadata: { name: 'app' }, seen }));
     });`,
  );
  const objects = await ownAppObjects(cluster, spec, { chart: 'charts/chat', program: echo });
  const { seen } = objects.find(({ kind }) => kind === 'Service') as unknown as {
    seen: { args: string[]; env: string[]; values: string };
  };
  expect(seen.args).toEqual([
    ...['template', 'app', 'charts/chat', '--namespace', spec.namespace, '--skip-tests'],
    ...['--kube-version', expect.stringMatching(/^v1\.\d+\.\d+$/), '--values', '-'],
  ]);
  expect(seen.env.filter((name) => /^(AWS|REGISTRY|NODE)_/.test(name))).toEqual([]);
  expect(seen.values).not.toContain(spec.database.password);
  expect(JSON.parse(seen.values)).toMatchObject({
    tenant: { name: 'The acme company', domain: 'acme.example.com' },
    database: { host: 'pool.example.com', secretName: 'db' },
    backup: { retention_days: 14 },
    ingress: { enabled: false, ssl_cert: '', custom_domain: '' },
    image: { repository: 'registry.example.com/chat', tag: '1.4.0' },
    resources: { requests: { cpu: '500m', memory: '1Gi' } },
  });
});

describe.skipIf(!hasHelm)("a tenant whose app is a chart, with this machine's helm", () => {
  test('has it inside the same boundary, applied strictly and pruned like any other', async () => {
    const chart = { chart: 'helm/tenant-app', program: helm };
    const objects = await ownAppObjects(cluster, spec, chart);
    const names = objects.map(objectName);
    for (const name of ['v1 Namespace t-acme', 'v1 ResourceQuota t-acme/app', 'v1 Secret t-acme/db'])
      expect(names).toContain(name);
    expect(names).toContain('apps/v1 Deployment t-acme/app');
    expect(await cluster.applySet(objects)).toEqual({ pruned: [] });
    const { pruned } = await cluster.applySet(await ownAppObjects(cluster, spec, undefined));
    expect(pruned).toEqual([]);
    expect((await cluster.applySet(objects)).pruned).toEqual([
      'autoscaling/v2 HorizontalPodAutoscaler t-acme/app',
      'policy/v1 PodDisruptionBudget t-acme/app',
    ]);
  });

  test('is told what is wrong with a chart in the words of helm', async () => {
    await expect(
      ownAppObjects(cluster, spec, { chart: join(directory, 'no-chart'), program: helm }),
    ).rejects.toMatchObject({ name: 'WorkloadRefused', message: expect.stringContaining('no-chart') });
  });
});
